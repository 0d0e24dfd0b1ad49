import type { Command } from 'commander';
import { idArgument, nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import { workOnRun } from '../work-on-run.ts';

interface Options {
  readonly from: string;
  readonly key?: string;
  readonly acceptDrift?: true;
  readonly wait: boolean;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run to fork', idArgument('run'))
    .requiredOption(
      '--from <step>',
      'the first step to do anew: its number or name in `waybill show RUN --receipts`',
      nonEmpty,
    )
    .option('--key <text>', 'idempotency key: two forks with one key are one run', nonEmpty)
    .option('--accept-drift', 'go on although the workspace is not what the run left behind')
    .option('--no-wait', 'run in the background; prints the run id', true)
    .addHelpText(
      'after',
      `
The new run shares the receipts before the step, and both runs show the link.

Examples:
  $ waybill fork run-20261122-210500-0a1b2c3d --from review
  $ waybill fork run-20261122-210500-0a1b2c3d --from 4 --key second-look`,
    )
    .action(async (runId: string, options: Options) => {
      await workOnRun(context(), options, (program) =>
        program.forkRun(runId, {
          from: options.from,
          key: options.key ?? null,
          acceptDrift: options.acceptDrift ?? false,
        }),
      );
    });
}
