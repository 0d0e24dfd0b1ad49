import type { Command } from 'commander';
import { idArgument, nonEmpty } from './argument-parsers.ts';
import type { CliContext } from './cli-context.ts';
import { sendRequest } from './send-request.ts';

/** `approve` and `deny` differ in one word. */
export function defineAnswer(kind: 'approve' | 'deny', command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .argument('[approval]', 'which approval, when the run waits for several', nonEmpty)
    .option('--comment <text>', 'why; kept in the ledger', nonEmpty)
    .option('--key <text>', 'idempotency key: the same answer twice is one', nonEmpty)
    .addHelpText(
      'after',
      `
Examples:
  $ waybill ${kind} run-20261122-210500-0a1b2c3d
  $ waybill ${kind} run-20261122-210500-0a1b2c3d release --comment "looked at the diff"`,
    )
    .action(
      (runId: string, approval: string | undefined, options: { readonly comment?: string; readonly key?: string }) =>
        sendRequest(context(), runId, {
          kind,
          approval: approval ?? null,
          comment: options.comment ?? null,
          key: options.key ?? null,
        }),
    );
}
