import type { Command } from 'commander';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { sendRequest } from '../send-request.ts';
import { typedJson } from '../typed-input.ts';

interface Options {
  readonly payload?: string;
  readonly key?: string;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .argument('<name>', 'the signal it waits for', nonEmpty)
    .option('--payload <json>', 'what the workflow gets: JSON, @FILE, or - for standard input')
    .option('--key <text>', 'idempotency key: the same signal twice is one', nonEmpty)
    .addHelpText(
      'after',
      `
Examples:
  $ waybill signal run-20261122-210500-0a1b2c3d deployed --payload '{"version": "1.2.3"}'`,
    )
    .action(async (runId: string, name: string, options: Options) => {
      const payload = options.payload === undefined ? null : await typedJson(context(), '--payload', options.payload);
      await sendRequest(context(), runId, options.key, () => ({ kind: 'signal', name, payload }));
    });
}
