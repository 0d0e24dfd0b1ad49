import type { Command } from 'commander';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { sendRequest } from '../send-request.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--comment <text>', 'why; kept in the ledger', nonEmpty)
    .option('--key <text>', 'idempotency key: the same request twice is one', nonEmpty)
    .addHelpText(
      'after',
      `
After the grace period no process of the run is left, and a canceled run is never reopened.

Examples:
  $ waybill cancel run-20261122-210500-0a1b2c3d --comment "wrong branch"`,
    )
    .action((runId: string, { comment, key }: { readonly comment?: string; readonly key?: string }) =>
      sendRequest(context(), runId, key, () => ({ kind: 'cancel', comment: comment ?? null })),
    );
}
