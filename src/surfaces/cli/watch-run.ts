import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent, RunState } from '../../contract/evidence.ts';
import type { CliContext, Stop } from './cli-context.ts';
import type { EventPrinter } from './event-printer.ts';
import type { Program, RunInHand } from './program.ts';

/**
 * Shows a run while this process works on it, until it is done with it: a transcript on standard error, or with
 * `--json` the events as NDJSON on standard output. Shown is what the store holds, so nothing is shown that a
 * power cut could take back.
 */
export async function watchRun(
  context: CliContext,
  program: Program,
  run: RunInHand,
  printer: EventPrinter,
  stop: Stop,
): Promise<RunState> {
  const stopRun = () => {
    run.stop(stop.received ?? 'SIGTERM');
    if (!context.json) void context.note('stopping in order (again: at once) ...');
  };
  if (stop.signal.aborted) stopRun();
  stop.signal.addEventListener('abort', stopRun, { once: true });
  const following = new AbortController();
  let printed = run.since;
  const print = async (events: AsyncIterable<LedgerEvent>) => {
    for await (const event of events) {
      await printer.print(event);
      printed = event.seq;
    }
  };
  // A failure to print must not leave the run alone: it is reported when the run is done.
  const live = print(program.events(run.runId, { since: run.since, follow: true, signal: following.signal })).then(
    () => null,
    (error: unknown) => ({ error }),
  );
  try {
    const state = await finishedOrStopped(program, run, stop);
    following.abort();
    const failed = await live;
    if (failed !== null) throw failed.error;
    await print(program.events(run.runId, { since: printed, follow: false }));
    return state;
  } finally {
    following.abort();
    stop.signal.removeEventListener('abort', stopRun);
    await live;
  }
}

/** A run that was asked to stop ends with `interrupted`: what was asked for, not a failure. */
async function finishedOrStopped(program: Program, run: RunInHand, stop: Stop): Promise<RunState> {
  try {
    return await run.finished;
  } catch (error) {
    if (stop.received === null || !(error instanceof WaybillError) || error.code !== 'interrupted') throw error;
    return await program.showRun(run.runId);
  }
}
