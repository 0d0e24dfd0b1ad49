import type { Command } from 'commander';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { sendRequest } from '../send-request.ts';

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--key <text>', 'idempotency key: the same request twice is one', nonEmpty)
    .addHelpText(
      'after',
      `
The steps at work finish, no new one begins, and the run waits for \`waybill resume\`.

Examples:
  $ waybill pause run-20261122-210500-0a1b2c3d`,
    )
    .action((runId: string, { key }: { readonly key?: string }) =>
      sendRequest(context(), runId, key, () => ({ kind: 'pause' })),
    );
}
