import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Version } from '../../../contract/api/packages.ts';
import type { Entry } from '../../../domain/registry/package-types/package-type.ts';
import { type VersionState, versionStates } from '../../../domain/registry/states.ts';
import { listedVersionView, packageView, versionView } from '../../../views/registry.ts';
import { nonEmpty, repeated } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import type { OwnRegistry } from '../program.ts';
import {
  moreLine,
  type PageOptions,
  type RepoOption,
  shortTime,
  takesPage,
  takesRepo,
  typedCoordinate,
  withRegistry,
} from '../registry-command.ts';
import { table } from '../table.ts';

interface ListOptions extends PageOptions, RepoOption {
  readonly type?: string;
  readonly prefix?: string;
}

interface VersionsOptions extends PageOptions, RepoOption {
  readonly state?: readonly VersionState[];
}

interface DownloadOptions extends RepoOption {
  readonly out?: string;
}

export function define(command: Command, context: () => CliContext): void {
  command.addHelpText(
    'after',
    `
A package is named NAME, and TYPE:NAME where several types have the name; a version NAME@VERSION or NAME@TAG. The tag
latest is the version that was published last, unless somebody has set it.

Examples:
  $ waybill packages
  $ waybill packages show my-tool@1.2.0
  $ waybill packages download npm:@team/tool@latest package.tgz --out tool.tgz`,
  );
  takesPage(takesRepo(command.command('list', { isDefault: true })))
    .description('list the packages of a repo')
    .option('--type <type>', 'only packages of this type', nonEmpty)
    .option('--prefix <text>', 'only names that begin with this', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill packages list --type npm --prefix @team/')
    .action(async (options: ListOptions) => await list(context(), options));
  takesPage(takesRepo(command.command('versions')))
    .description('list the versions of a package, newest first')
    .argument('<package>', 'NAME or TYPE:NAME', nonEmpty)
    .option('--state <state>', `only versions in this state (${versionStates.join(', ')}); may be repeated`, states)
    .addHelpText('after', '\nExamples:\n  $ waybill packages versions my-tool --state published')
    .action(async (text: string, options: VersionsOptions) => await versions(context(), text, options));
  takesRepo(command.command('show'))
    .description('show a version, with its files')
    .argument('<version>', 'NAME@VERSION, NAME@TAG, NAME for the latest, or the id of a version', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill packages show my-tool@1.2.0')
    .action(async (text: string, options: RepoOption) => {
      const { version, entries } = await withRegistry(context(), (own) => read(own, options.repo, text));
      await context().result(
        () => ({ ...version, files: entries }),
        () => versionText(context(), version, entries),
      );
    });
  takesRepo(command.command('download'))
    .description('write a file of a published version to disk, checked against its digest')
    .argument('<version>', 'NAME@VERSION, NAME@TAG, or NAME for the latest', nonEmpty)
    .argument('<path>', 'which of its files', nonEmpty)
    .option('--out <file>', 'where to; its own name in this folder unless given', nonEmpty)
    .addHelpText('after', '\nExamples:\n  $ waybill packages download my-tool@1.2.0 bin/my-tool --out my-tool')
    .action(async (text: string, path: string, { repo, out }: DownloadOptions) => {
      const { downloadFile } = await import('../../../domain/registry/packages/download-file.ts');
      const written = await typedCoordinate(text);
      const file = context().path(out ?? basename(path));
      const done = await withRegistry(context(), ({ registry }) =>
        downloadFile(registry, { repo, written, path, file }),
      );
      await context().result(
        () => done,
        () => `${printableLine(done.file)}\n  ${done.digest}, ${done.size} bytes`,
      );
    });
}

async function list(context: CliContext, { repo, type, prefix, limit, cursor }: ListOptions) {
  const { listPackages } = await import('../../../domain/registry/packages/list-packages.ts');
  const page = await withRegistry(context, ({ registry }) =>
    listPackages(registry, { repo, type: type ?? null, prefix: prefix ?? null, limit, cursor: cursor ?? null }),
  );
  const shown = { packages: page.packages.map(packageView), nextCursor: page.nextCursor };
  const { dim } = context.palette;
  const rows = shown.packages.map((each) => [
    each.type,
    printableLine(each.name, 120),
    printableLine(each.latest ?? '', 60),
    String(each.versions.published),
    String(each.versions.draft),
    String(each.versions.tombstoned),
  ]);
  const head = ['type', 'package', 'latest', 'published', 'drafts', 'tombstoned'].map(dim);
  await context.result(
    () => shown,
    () =>
      rows.length === 0 ? `No packages in the repo ${repo}.` : table(head, rows) + moreLine(context, shown.nextCursor),
  );
}

async function versions(context: CliContext, text: string, { repo, state = [], limit, cursor }: VersionsOptions) {
  const { listVersions } = await import('../../../domain/registry/packages/list-versions.ts');
  const { type, name } = await typedCoordinate(text);
  const page = await withRegistry(context, ({ registry }) =>
    listVersions(registry, { repo, type, name, states: state, limit, cursor: cursor ?? null }),
  );
  const shown = { versions: page.versions.map(listedVersionView), nextCursor: page.nextCursor };
  const { dim } = context.palette;
  const rows = shown.versions.map((each) => [
    printableLine(each.version, 60),
    stateText(context, each),
    shortTime(each.publishedAt ?? each.createdAt),
    each.tags.join(', '),
    each.run ?? '',
    each.digest ?? each.versionId,
  ]);
  const head = ['version', 'state', 'since (UTC)', 'tags', 'run', 'digest or id'].map(dim);
  await context.result(
    () => shown,
    () => (rows.length === 0 ? 'No versions.' : table(head, rows) + moreLine(context, shown.nextCursor)),
  );
}

async function read({ registry }: OwnRegistry, repo: string, text: string) {
  const [{ showVersion }, { findWritten }, { listEntries }, { isId }] = await Promise.all([
    import('../../../domain/registry/packages/describe-version.ts'),
    import('../../../domain/registry/packages/find-version.ts'),
    import('../../../domain/registry/entries/list-entries.ts'),
    import('../../../contract/ids.ts'),
  ]);
  const found = isId('version', text)
    ? await showVersion(registry, repo, text)
    : await findWritten(registry, repo, await typedCoordinate(text));
  const entries: Entry[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await listEntries(registry, { repo, versionId: found.versionId, limit: 1_000, cursor });
    entries.push(...page.entries);
    if (page.nextCursor === null) return { version: versionView(found), entries };
    cursor = page.nextCursor;
  }
}

function stateText(context: CliContext, { state, quarantine }: Pick<Version, 'state' | 'quarantine'>): string {
  const { green, dim, red, yellow } = context.palette;
  if (quarantine.length > 0) return yellow(`${state}, quarantined`);
  return { draft: dim, published: green, tombstoned: red }[state](state);
}

function versionText(context: CliContext, version: Version, entries: readonly Entry[]): string {
  const { bold, dim } = context.palette;
  const { manifest, attestation, gates, quarantine } = version;
  const gone = version.tombstonedAt === null ? null : `${shortTime(version.tombstonedAt)} by ${version.tombstonedBy}`;
  const facts: (readonly [string, string | null])[] = [
    ['state', stateText(context, version)],
    ['id', version.versionId],
    ['digest', version.digest],
    ['run', version.run],
    ['tags', version.tags.length === 0 ? null : version.tags.join(', ')],
    ['made', `${shortTime(version.createdAt)} by ${version.createdBy}`],
    ['published', version.publishedAt && `${shortTime(version.publishedAt)} by ${version.publishedBy}`],
    ['withdrawn', gone && `${gone}: ${version.tombstoneReason}`],
    ['gates', gates && (gates.length === 0 ? 'none was required' : gates.map(({ gate }) => gate).join(', '))],
    ['manifest', manifest && `${manifest.digest} (${manifest.mediaType}, ${manifest.size} bytes)`],
    ['attested', attestation && `by ${attestation.keyId}`],
    ...quarantine.map(({ ruleId, reason }) => ['held back', `by ${ruleId}: ${reason}`] as const),
  ];
  const lines = facts.flatMap(([name, fact]) => {
    if (fact === null) return [];
    // The state is painted; all else may come from outside.
    return [`  ${dim(name.padEnd(9))} ${name === 'state' ? fact : printableLine(fact, 400)}`];
  });
  const files = entries.map(({ path, size, digest }) => [printableLine(path, 200), String(size), digest]);
  const listed = files.length === 0 ? 'No files.' : table(['file', 'bytes', 'digest'].map(dim), files);
  return [bold(printableLine(`${version.type}:${version.name}@${version.version}`)), ...lines, '', listed].join('\n');
}

function states(text: string, before: readonly VersionState[] | undefined): VersionState[] {
  return repeated((each) => {
    const found = versionStates.find((state) => state === each);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Known states: ${versionStates.join(', ')}.`);
  })(text, before);
}
