import type { Command } from 'commander';
import { WaybillError } from '../../../contract/errors.ts';
import type { RunState } from '../../../contract/evidence.ts';
import { idArgument, seconds } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { Program } from '../program.ts';
import { exitCodeOf, tellOutcome } from '../run-outcome.ts';

/** How often a run is looked at besides its events: only a lost holder is found this way, and it says nothing. */
const lookMs = 1_000;

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--timeout <seconds>', 'wait no longer than this', seconds)
    .addHelpText(
      'after',
      `
The exit code is 0 only when the run succeeded. A run nobody works on any more is not waited for.

Examples:
  $ waybill wait run-20261122-210500-0a1b2c3d --timeout 3600 && ./publish.sh`,
    )
    .action(async (runId: string, options: { readonly timeout?: number }) => {
      await context().stoppable((stop) =>
        context().withProgram(async (program) => {
          const run = await untilFinished(program, runId, stop.signal, options.timeout);
          if (stop.received !== null) return;
          await tellOutcome(context(), run, { reasonTold: false });
          context().exitCode = exitCodeOf(run);
        }),
      );
    });
}

async function untilFinished(
  program: Program,
  runId: string,
  stop: AbortSignal,
  timeoutMs: number | undefined,
): Promise<RunState> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  for (;;) {
    const run = await program.showRun(runId);
    if (run.terminalEvent !== null || run.interrupted || stop.aborted) return run;
    const left = deadline - Date.now();
    if (left <= 0) throw timedOut(run, timeoutMs ?? 0);
    // A new event ends the look-out at once; silence ends it after a while.
    const pause = AbortSignal.any([stop, AbortSignal.timeout(Math.min(lookMs, left))]);
    for await (const _ of program.events(runId, { since: run.lastSeq, follow: true, signal: pause })) break;
  }
}

function timedOut(run: RunState, timeoutMs: number): WaybillError {
  return new WaybillError('wait_timeout', `${run.runId} is still ${run.state} after ${timeoutMs / 1000} s`, {
    hint: `Look what it does: waybill show ${run.runId}`,
    details: { runId: run.runId, state: run.state },
  });
}
