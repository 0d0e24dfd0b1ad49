import type { RunState } from '../../contract/evidence.ts';
import type { CliContext, Stop } from './cli-context.ts';
import { EventPrinter } from './event-printer.ts';
import type { OwnProgram, RunInHand } from './program.ts';
import { runInBackground } from './run-in-background.ts';
import { exitCodeOf, tellOutcome } from './run-outcome.ts';
import { watchRun } from './watch-run.ts';

/** A timer counts in 31 bits. */
const longestTimerMs = 2 ** 31 - 1;

/** What `run`, `exec`, `resume` and `fork` have in common: take a run in hand, show it live, say how it ended. */
export async function workOnRun(
  context: CliContext,
  options: { readonly wait: boolean },
  take: (program: OwnProgram) => Promise<RunInHand>,
): Promise<void> {
  if (!options.wait) return await runInBackground(context);
  await context.stoppable((stop) =>
    context.withOwnProgram(async (program) => {
      const run = await take(program);
      // It is awaited below; a run that fails while something is printed must not count as nobody's failure.
      run.finished.catch(() => {});
      if (!context.json) await sayHow(context, run);
      await using printer = new EventPrinter(context, run.runId);
      const state = await untilOnlyPeopleCanHelp(context, program, run, printer, stop);
      await tellOutcome(context, state, { reasonTold: true });
      context.exitCode = exitCodeOf(state);
    }),
  );
}

/**
 * Time passes by itself: a run that only sleeps is gone on with when it is due. A run that waits for a person or
 * a signal is left alone, and whoever answers can resume it.
 */
async function untilOnlyPeopleCanHelp(
  context: CliContext,
  program: OwnProgram,
  first: RunInHand,
  printer: EventPrinter,
  stop: Stop,
): Promise<RunState> {
  let run = first;
  for (;;) {
    const state = await watchRun(context, program, run, printer, stop);
    if (executesNothing(run) || !onlySleeps(state)) return state;
    await until(Date.parse(state.wakeAt), stop.signal);
    if (stop.signal.aborted) return state;
    run = await program.resumeRun(run.runId, { retryFailed: null, acceptDrift: false });
  }
}

function executesNothing({ how }: RunInHand): boolean {
  return how === 'existing' || how === 'finished';
}

async function sayHow(context: CliContext, { runId, how }: RunInHand): Promise<void> {
  if (how === 'existing') await context.note(`${runId} has this key already: no second run is made.`);
  if (how === 'finished') await context.note(`${runId} has succeeded: there is nothing left to do.`);
}

/** Time passes by itself: whoever works on the run goes on with it. */
export function onlySleeps(state: RunState): state is RunState & { wakeAt: string } {
  return state.state === 'waiting' && state.wakeAt !== null && state.pending.every(({ action }) => action === 'sleep');
}

async function until(time: number, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const left = time - Date.now();
    if (left <= 0) return;
    const passed = Promise.withResolvers<void>();
    const timer = setTimeout(passed.resolve, Math.min(left, longestTimerMs));
    const stopped = () => passed.resolve();
    stop.addEventListener('abort', stopped, { once: true });
    await passed.promise;
    clearTimeout(timer);
    stop.removeEventListener('abort', stopped);
  }
}
