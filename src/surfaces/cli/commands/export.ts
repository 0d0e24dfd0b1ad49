import type { Command } from 'commander';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { Exported, ExportRun } from '../program.ts';
import { usageError } from '../usage-error.ts';

interface Options {
  readonly files?: true;
  readonly out?: string;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--files', 'write .waybill/runs/<run>/ again, byte for byte')
    .option('--out <file>', 'write a bundle: one file that verifies and imports on any machine', nonEmpty)
    .addHelpText(
      'after',
      `
Examples:
  $ waybill export run-20261122-210500-0a1b2c3d --files
  $ waybill export run-20261122-210500-0a1b2c3d --out evidence.json && waybill verify evidence.json`,
    )
    .action(async (runId: string, options: Options) => {
      const request = requestOf(context(), options);
      const done = await context().withOwnProgram((program) => program.exportRun(runId, request));
      await context().result(
        () => done,
        () => text(done),
      );
    });
}

function requestOf(context: CliContext, { files, out }: Options): ExportRun {
  if ((files === true) === (out !== undefined)) {
    throw usageError('say what to export: either --files or --out FILE', 'See `waybill export --help`.');
  }
  return out === undefined ? { kind: 'files' } : { kind: 'bundle', out: context.path(out) };
}

function text({ path, files, bytes, digest }: Exported): string {
  const what = digest === null ? `${files} files` : digest;
  return `${path}\n  ${what}, ${bytes} bytes`;
}
