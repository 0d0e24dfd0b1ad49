import type { Command } from 'commander';
import { WaybillError } from '../../../contract/errors.ts';
import { nonEmpty } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { Program, RunInHand } from '../program.ts';
import { usageError } from '../usage-error.ts';
import { workOnRun } from '../work-on-run.ts';
import { runArgument } from './run-argument.ts';

interface Options {
  readonly run?: string;
  readonly retryFailed?: true;
  readonly reason?: string;
  readonly acceptDrift?: true;
  readonly wait: boolean;
}

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('[run]', 'the run')
    .option('--run <run>', 'the run, as an option')
    .option('--retry-failed', 'start a new run that shares what a failed one did well')
    .option('--reason <text>', 'why it is tried again; kept in the new run', nonEmpty)
    .option('--accept-drift', 'go on although the workspace was changed meanwhile')
    .option('--no-wait', 'run in the background; prints the run id', true)
    .addHelpText(
      'after',
      `
A step with a receipt is never executed again; a step that was cut off is sent again under its own key.

Examples:
  $ waybill resume run-20261122-210500-0a1b2c3d
  $ waybill resume run-20261122-210500-0a1b2c3d --accept-drift
  $ waybill resume run-20261122-210500-0a1b2c3d --retry-failed --reason "the network was down"`,
    )
    .action(async (positional: string | undefined, options: Options) => {
      const runId = runArgument(positional, options.run);
      const { retryFailed, reason } = options;
      if (retryFailed === true && reason === undefined) {
        throw usageError('--retry-failed needs a reason', 'Add --reason TEXT: it is kept in the new run.');
      }
      if (retryFailed === undefined && reason !== undefined) {
        throw usageError('--reason belongs to --retry-failed', 'An interrupted run is resumed without one.');
      }
      await workOnRun(context(), options, (program) =>
        program
          .resumeRun(runId, {
            retryFailed: reason === undefined ? null : { reason },
            acceptDrift: options.acceptDrift ?? false,
          })
          .catch((error: unknown) => ifSucceeded(program, runId, error)),
      );
    });
}

/** What has succeeded needs no resume: that is an answer, not an error. */
async function ifSucceeded(program: Program, runId: string, error: unknown): Promise<RunInHand> {
  if (!(error instanceof WaybillError) || error.code !== 'invalid_transition' || error.details?.state !== 'succeeded')
    throw error;
  const run = await program.showRun(runId);
  return { runId, how: 'finished', since: run.lastSeq, finished: Promise.resolve(run), stop: () => {} };
}
