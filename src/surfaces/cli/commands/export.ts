import { type Command, InvalidArgumentError } from 'commander';
import { isId } from '../../../contract/ids.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { Exported, ExportRun } from '../program.ts';
import { type RepoOption, takesRepo, typedCoordinate } from '../registry-command.ts';
import { usageError } from '../usage-error.ts';

interface Options extends RepoOption {
  readonly files?: true;
  readonly out?: string;
}

export function define(command: Command, context: () => CliContext): void {
  takesRepo(command)
    .argument('<run>', 'the run, or a version as NAME@VERSION', runOrVersion)
    .option('--files', 'write .waybill/runs/<run>/ again, byte for byte')
    .option('--out <file>', 'write a bundle: one file that verifies and imports on any machine', nonEmpty)
    .addHelpText(
      'after',
      `
Examples:
  $ waybill export run-20261122-210500-0a1b2c3d --files
  $ waybill export run-20261122-210500-0a1b2c3d --out evidence.json && waybill verify evidence.json
  $ waybill export my-tool@1.2.0 --out release.json`,
    )
    .action(async (subject: string, options: Options) => {
      const request = requestOf(context(), options);
      if (!isId('run', subject)) return await exportVersion(context(), subject, options.repo, request);
      const done = await context().withOwnProgram((program) => program.exportRun(subject, request));
      await context().result(
        () => done,
        () => text(done),
      );
    });
}

function runOrVersion(text: string): string {
  if (isId('run', text) || /[^@]@/.test(text)) return text;
  throw new InvalidArgumentError('A run id looks like run-20261122-210500-0a1b2c3d, a version like my-tool@1.2.0.');
}

async function exportVersion(context: CliContext, subject: string, repo: string, request: ExportRun): Promise<void> {
  if (request.kind === 'files') throw usageError('a version is exported as one file', 'Give --out FILE.');
  const { out } = request;
  const [{ exportRelease }, { writtenVersion }] = await Promise.all([
    import('../../../domain/registry/release/export-release.ts'),
    import('../../../domain/registry/verify/written-version.ts'),
  ]);
  const written = await typedCoordinate(subject);
  const done = await context.withOwnProgram(async (program) => {
    const { releases } = await program.releases();
    const coordinate = await writtenVersion(releases.registry, repo, written);
    const file = await exportRelease(releases, { repo, coordinate, out });
    return { ...coordinate, path: out, files: 1, ...file };
  });
  await context.result(
    () => done,
    () => text(done),
  );
}

function requestOf(context: CliContext, { files, out }: Options): ExportRun {
  if ((files === true) === (out !== undefined)) {
    throw usageError('say what to export: either --files or --out FILE', 'See `waybill export --help`.');
  }
  return out === undefined ? { kind: 'files' } : { kind: 'bundle', out: context.path(out) };
}

function text({ path, files, bytes, digest }: Omit<Exported, 'runId'>): string {
  const what = digest === null ? `${files} files` : digest;
  return `${path}\n  ${what}, ${bytes} bytes`;
}
