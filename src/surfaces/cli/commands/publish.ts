import type { Command } from 'commander';
import { parseId } from '../../../contract/ids.ts';
import type { PublishedRun, PublishStage } from '../../../domain/registry/release/publish-run.ts';
import { listedVersionView, versionView } from '../../../views/registry.ts';
import { idArgument, nonEmpty, repeated } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { printableLine } from '../printable.ts';
import { ProgressLine } from '../progress-line.ts';
import { type RepoOption, takesRepo } from '../registry-command.ts';
import { table } from '../table.ts';
import { usageError } from '../usage-error.ts';

interface Options extends RepoOption {
  readonly package: string;
  readonly version?: string;
  readonly type: string;
  readonly file?: readonly string[];
  readonly manifest?: string;
  readonly tag?: readonly string[];
  readonly unsigned?: true;
}

export function define(command: Command, context: () => CliContext): void {
  takesRepo(command)
    .argument('<run>', 'a run that succeeded', idArgument('run'))
    .requiredOption('--package <name>', 'the name of the package, or NAME@VERSION', nonEmpty)
    .option('--version <version>', 'the version', nonEmpty)
    .option('--type <type>', 'the type of the package', nonEmpty, 'waybill-run')
    .option('--file <glob>', 'only these of the files the run made; may be repeated', repeated(nonEmpty))
    .option(
      '--manifest <path>',
      'the file of the run that is the manifest, for types with manifests of their own',
      nonEmpty,
    )
    .option('--tag <tag>', 'point this tag to it; may be repeated', repeated(nonEmpty))
    .option('--unsigned', 'publish without an attestation')
    .addHelpText(
      'after',
      `
Publishes the files that the steps of a run made, with an attestation of where they come from, signed with the key of
this workspace (\`waybill keys init\`). All of it is published in one transaction, or nothing. Again is harmless: whatever
an interrupted publish left is gone on with, and what is published already is not published twice.

Examples:
  $ waybill publish run-20261122-210500-0a1b2c3d --package my-tool --version 1.2.0
  $ waybill publish run-20261122-210500-0a1b2c3d --package my-tool@1.3.0 --file 'dist/**' --tag stable`,
    )
    .action(async (run: string, options: Options) => {
      const coordinate = await coordinateOf(options);
      const stage: { current: PublishStage | null; since: number } = { current: null, since: Date.now() };
      await using _ = progressOf(context(), stage);
      const done = await context().withOwnProgram(async (program) => {
        const { publishRun } = await import('../../../domain/registry/release/publish-run.ts');
        const { releases, actor } = await program.releases();
        const { repo, manifest = null, unsigned = false, file: files = [], tag: tags = [] } = options;
        const request = { run: parseId('run', run), repo, coordinate, files, manifest, unsigned };
        const published = await publishRun(releases, request, actor, (current) => {
          Object.assign(stage, { current, since: Date.now() });
        });
        for (const tag of tags) {
          const { setTag } = await import('../../../domain/registry/tags/set-tag.ts');
          await setTag(releases.registry, { repo, ...coordinate, tag }, actor);
        }
        return { published, tags };
      });
      stage.current = null;
      await context().result(
        () => document(done),
        () => text(context(), done),
      );
    });
}

async function coordinateOf(options: Options) {
  const { parseCoordinate } = await import('../../../domain/registry/packages/parse-coordinate.ts');
  const written = parseCoordinate(options.package);
  const version = options.version ?? written.version;
  if (version === null) throw usageError('say which version', 'Give --version VERSION, or --package NAME@VERSION.');
  if (written.version !== null && written.version !== version) {
    throw usageError(`--package says ${written.version}, and --version says ${version}`, 'Give one of them.');
  }
  return { type: written.type ?? options.type, name: written.name, version };
}

/** On a terminal, what it is at, once that takes longer than a moment. */
function progressOf(
  { host, json }: CliContext,
  stage: { readonly current: PublishStage | null; readonly since: number },
): AsyncDisposable | undefined {
  if (!host.terminal.stderr.isTerminal || json) return undefined;
  return new ProgressLine(() => (stage.current === null ? [] : [{ step: stage.current, since: stage.since }]));
}

interface Done {
  readonly published: PublishedRun;
  readonly tags: readonly string[];
}

function document({ published, tags }: Done): object {
  const { idempotent, files, ...version } = published;
  const all = [...new Set([...listedVersionView(version).tags, ...tags])].sort();
  return { ...versionView(version), tags: all, idempotent, files, verify: verifyCommand(published) };
}

function verifyCommand({ coordinate: { type, name, version }, repo }: PublishedRun): string {
  const subject = type === 'waybill-run' ? `${name}@${version}` : `${type}:${name}@${version}`;
  return `waybill verify ${subject}${repo === 'local' ? '' : ` --repo ${repo}`}`;
}

function text(context: CliContext, { published, tags }: Done): string {
  const { bold, dim, green } = context.palette;
  const { coordinate, digest, files, gates, attestation, run, repo, idempotent } = published;
  const named = printableLine(`${coordinate.type}:${coordinate.name}@${coordinate.version}`);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const facts: readonly (readonly [string, string])[] = [
    ['repo', repo],
    ['digest', digest ?? ''],
    ['run', run ?? ''],
    ['files', `${files.length}, ${bytes} bytes`],
    [
      'gates',
      gates === null || gates.length === 0
        ? 'none is required here'
        : `green: ${gates.map(({ gate }) => gate).join(', ')}`,
    ],
    ['attested', attestation === null ? 'no: published without a signature' : `signed by ${attestation.keyId}`],
    ...(tags.length === 0 ? [] : [['tags', tags.join(', ')] as const]),
  ];
  const rows = files.map(({ path, size, digest: of }) => [printableLine(path, 200), String(size), of]);
  return [
    `${bold(named)} ${idempotent ? 'was published before: nothing was done' : green('is published')}`,
    ...facts.map(([name, fact]) => `  ${dim(name.padEnd(9))} ${printableLine(fact)}`),
    '',
    table(['file', 'bytes', 'digest'].map(dim), rows),
    '',
    `Prove where it comes from: ${verifyCommand(published)}`,
  ].join('\n');
}
