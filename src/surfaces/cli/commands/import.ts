import type { Command } from 'commander';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<file>', 'a bundle written by `waybill export --out`', nonEmpty)
    .addHelpText(
      'after',
      `
A bundle is verified before anything of it is taken in; the same bundle twice is harmless.

Examples:
  $ waybill import evidence.json`,
    )
    .action(async (file: string) => {
      const done = await context().withOwnProgram((program) => program.importBundle(context().path(file)));
      await context().result(
        () => done,
        () =>
          done.created
            ? `${done.runId} imported: ${done.events} events, ${done.receipts} receipts`
            : `${done.runId} was here already: nothing was changed`,
      );
    });
}
