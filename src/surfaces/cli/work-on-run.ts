import type { CliContext } from './cli-context.ts';
import type { Program, RunInHand } from './program.ts';
import { exitCodeOf, tellOutcome } from './run-outcome.ts';
import { watchRun } from './watch-run.ts';

export interface WorkOptions {
  /** False: hand the run to a process of its own, and return. */
  readonly wait: boolean;
}

/**
 * What `run`, `exec`, `resume` and `fork` have in common: take a run in hand, show it live, say how it ended.
 * `take` is told whether this process shall do the work.
 */
export async function workOnRun(
  context: CliContext,
  options: WorkOptions,
  take: (program: Program, work: boolean) => Promise<RunInHand>,
): Promise<void> {
  await context.stoppable((stop) =>
    context.withProgram(async (program) => {
      const run = await take(program, options.wait);
      if (!options.wait) {
        await leaveToBackground(context, run);
        return;
      }
      if (!context.json) await sayHow(context, run);
      const state = run.how === 'finished' ? await run.finished : await watchRun(context, program, run, stop);
      await tellOutcome(context, state);
      context.exitCode = exitCodeOf(state);
    }),
  );
}

async function sayHow(context: CliContext, run: RunInHand): Promise<void> {
  switch (run.how) {
    case 'finished':
      return await context.note(`${run.runId} is finished: there is nothing left to do.`);
    case 'existing':
      return await context.note(`${run.runId} has this key already: no second run is made.`);
    case 'created':
    case 'resumed':
      return;
    default:
      return run.how satisfies never;
  }
}

async function leaveToBackground(context: CliContext, run: RunInHand): Promise<void> {
  const state = await run.finished;
  const background = state.state === 'queued' || state.interrupted;
  const { pid } = background
    ? await context.host.startInBackground(['resume', run.runId, '--json', '--workspace', context.start])
    : { pid: null };
  if (context.json) {
    await context.print(JSON.stringify({ runId: run.runId, state: state.state, created: run.how === 'created', pid }));
    return;
  }
  await context.print(run.runId);
  const follow = `waybill events ${run.runId} --follow`;
  await context.note(
    background ? `runs in the background (process ${pid}); look: ${follow}` : `is ${state.state}; look: ${follow}`,
  );
}
