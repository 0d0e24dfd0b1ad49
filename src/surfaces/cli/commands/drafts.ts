import type { Command } from 'commander';
import type { Version } from '../../../contract/api/packages.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { listedVersionView, versionView } from '../../../views/registry.ts';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import {
  moreLine,
  type PageOptions,
  type RepoOption,
  shortTime,
  takesPage,
  takesRepo,
  withRegistry,
} from '../registry-command.ts';
import { table } from '../table.ts';

interface ListOptions extends PageOptions, RepoOption {
  readonly type?: string;
  readonly name?: string;
}

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A draft is a version that is not published yet. It goes when its time is over, and its coordinate is free again.

Examples:
  $ waybill drafts
  $ waybill drafts delete ver_0123456789abcdef`,
  );
  takesPage(takesRepo(command.command('list', { isDefault: true })))
    .description('list the drafts of a repo, newest first')
    .option('--type <type>', 'only drafts of packages of this type', nonEmpty)
    .option('--name <name>', 'only drafts of packages of this name', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill drafts list --type npm --json')
    .action(async (options: ListOptions) => await list(context(), options));
  takesRepo(command.command('show'))
    .description('show a draft, and what it has so far')
    .argument('<draft>', 'its id, as `drafts list` shows it', idArgument('version'))
    .addHelpText('after', '\nExamples:\n  $ waybill drafts show ver_0123456789abcdef')
    .action(async (id: string, { repo }: RepoOption) => {
      const { showVersion } = await import('../../../domain/registry/packages/describe-version.ts');
      const shown = versionView(await withRegistry(context(), ({ registry }) => showVersion(registry, repo, id)));
      if (shown.state !== 'draft') {
        throw new WaybillError('version_not_draft', `${id} is ${shown.state}`, {
          hint: `Show it with: waybill packages show ${id} --repo ${repo}`,
        });
      }
      await context().result(
        () => shown,
        () => draftText(context(), shown),
      );
    });
  takesRepo(command.command('delete'))
    .description('delete a draft with its entries and its manifest')
    .argument('<draft>', 'its id, as `drafts list` shows it', idArgument('version'))
    .addHelpText('after', '\nExamples:\n  $ waybill drafts delete ver_0123456789abcdef')
    .action(async (versionId: string, { repo }: RepoOption) => {
      const { deleteDraft } = await import('../../../domain/registry/drafts/remove-draft.ts');
      const { coordinate } = await withRegistry(context(), ({ registry, actor }) =>
        deleteDraft(registry, { repo, versionId }, actor),
      );
      await context().result(
        () => ({ versionId, repo, ...coordinate }),
        () => `The draft of ${printableLine(nameOf(coordinate))} is gone.`,
      );
    });
}

async function list(context: CliContext, { repo, type, name, limit, cursor }: ListOptions): Promise<void> {
  const { listDrafts } = await import('../../../domain/registry/drafts/list-drafts.ts');
  const page = await withRegistry(context, ({ registry }) => listDrafts(registry, { repo, type, name, limit, cursor }));
  const shown = { drafts: page.drafts.map(listedVersionView), nextCursor: page.nextCursor };
  const { dim } = context.palette;
  const rows = shown.drafts.map((draft) => [
    draft.versionId,
    printableLine(nameOf(draft), 160),
    shortTime(draft.createdAt),
    printableLine(draft.createdBy, 60),
    expiryText(context, draft),
  ]);
  const head = ['draft', 'version', 'made (UTC)', 'by', 'expires (UTC)'].map(dim);
  await context.result(
    () => shown,
    () =>
      rows.length === 0 ? `No drafts in the repo ${repo}.` : table(head, rows) + moreLine(context, shown.nextCursor),
  );
}

function draftText(context: CliContext, draft: Version): string {
  const { bold, dim } = context.palette;
  const { entries, manifest, run, createdAt, createdBy } = draft;
  const facts: (readonly [string, string | null])[] = [
    ['id', draft.versionId],
    ['made', printableLine(`${shortTime(createdAt)} by ${createdBy}`)],
    ['expires', expiryText(context, draft)],
    ['run', run],
    ['entries', `${entries.count}, ${entries.size} bytes`],
    ['manifest', manifest === null ? 'none yet' : `${manifest.digest} (${manifest.mediaType}, ${manifest.size} bytes)`],
  ];
  const lines = facts.flatMap(([name, fact]) => (fact === null ? [] : [`  ${dim(name.padEnd(8))} ${fact}`]));
  return [bold(printableLine(nameOf(draft))), ...lines].join('\n');
}

function expiryText(context: CliContext, { expiresAt }: Pick<Version, 'expiresAt'>): string {
  if (expiresAt === null) return 'never';
  const text = shortTime(expiresAt);
  return Date.parse(expiresAt) <= Date.now() ? context.palette.red(`${text}, expired`) : text;
}

function nameOf({ type, name, version }: Pick<Version, 'type' | 'name' | 'version'>): string {
  return `${type}:${name}@${version}`;
}
