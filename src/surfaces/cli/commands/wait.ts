import type { Command } from 'commander';
import { type RunState, terminalEventTypes } from '../../../contract/evidence.ts';
import { idArgument, seconds } from '../argument-parsers.ts';
import type { CliContext } from '../cli-context.ts';
import type { Program } from '../program.ts';
import { exitCodeOf, tellOutcome } from '../run-outcome.ts';
import { timeIsOver } from '../time-is-over.ts';

/** How often a run is looked at besides its events: only a lost holder is found this way, and it says nothing. */
const lookMs = 1_000;

export function define(command: Command, context: () => CliContext): void {
  command
    .argument('<run>', 'the run', idArgument('run'))
    .option('--timeout <seconds>', 'wait no longer than this', seconds)
    .addHelpText(
      'after',
      `
The exit code is 0 only when the run succeeded. A run nobody works on any more is not waited for. When the time is
over the code is wait_timeout, the exit code 1, and the number of the last event is told.

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
    const { run, abandoned } = await program.lookAt(runId);
    if (run.terminalEvent !== null || abandoned || stop.aborted) return run;
    const left = deadline - Date.now();
    if (left <= 0) throw timeIsOver(run, timeoutMs ?? 0);
    // The terminal event ends the look-out at once; silence ends it after a while.
    const pause = AbortSignal.any([stop, AbortSignal.timeout(Math.min(lookMs, left))]);
    for await (const { type } of program.events(runId, { since: run.lastSeq, follow: true, signal: pause })) {
      if (terminalEventTypes.some((terminal) => terminal === type)) break;
    }
  }
}
