import { terminalEventTypes } from '../../contract/evidence.ts';
import type { CliContext, Stop } from './cli-context.ts';
import { EventPrinter } from './event-printer.ts';
import type { Program } from './program.ts';
import { exitCodeOf, tellOutcome } from './run-outcome.ts';
import { timeIsOver } from './time-is-over.ts';
import { onlySleeps } from './work-on-run.ts';

/** How often a run is looked at besides its events: what nobody works on says nothing. */
const lookMs = 1_000;

/**
 * Shows a run somebody else works on until it is finished, waits for a person, or is left alone, and says how it ended.
 * Ctrl-C ends the watching, not the run.
 * @throws WaybillError `wait_timeout` with the cursor
 */
export async function watchFromAfar(
  context: CliContext,
  program: Program,
  runId: string,
  timeoutMs: number | undefined,
  stop: Stop,
): Promise<void> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  await using printer = new EventPrinter(context, runId);
  let cursor = 0;
  for (;;) {
    const { run, abandoned } = await program.lookAt(runId);
    const over = run.terminalEvent !== null || abandoned || (run.state === 'waiting' && !onlySleeps(run));
    const left = deadline - performance.now();
    const pause = AbortSignal.any([stop.signal, AbortSignal.timeout(Math.max(0, Math.ceil(Math.min(lookMs, left))))]);
    const request = over ? { since: cursor, follow: false } : { since: cursor, follow: true, signal: pause };
    for await (const event of program.events(runId, request)) {
      await printer.print(event);
      cursor = event.seq;
      if (!over && terminalEventTypes.some((type) => type === event.type)) break;
    }
    if (stop.signal.aborted) return await context.note(`the run goes on; look: waybill events ${runId} --follow`);
    if (over) {
      await tellOutcome(context, run, { reasonTold: true });
      context.exitCode = exitCodeOf(run);
      return;
    }
    if (left <= 0) throw timeIsOver({ ...run, lastSeq: cursor }, timeoutMs ?? 0);
  }
}
