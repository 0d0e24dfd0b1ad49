import type { Engine } from '../engine.ts';
import * as statements from '../ledger/statements.ts';
import type { ClaimedRun } from './claim-runs.ts';
import * as queue from './queue-statements.ts';

/**
 * What becomes of a run in the queue when working on it ended in an error of the system, not of the work: tried again
 * after `retryInMs`, or, when that is null, parked under `code` until somebody resumes it. Its lease ends with that, in
 * case the error kept it from being given back. Nothing, when somebody else has had it since.
 * @param failures how many such errors there were in a row, this one included
 */
export async function putBack(
  engine: Pick<Engine, 'store' | 'clock'>,
  { runId, epoch }: Pick<ClaimedRun, 'runId' | 'epoch'>,
  {
    code,
    retryInMs,
    failures,
  }: { readonly code: string; readonly retryInMs: number | null; readonly failures: number },
): Promise<void> {
  await engine.store.submit({
    lane: runId,
    statements: [
      { sql: statements.releaseAsIs, rows: [[runId, epoch]] },
      retryInMs === null
        ? { sql: queue.park, rows: [[code, failures, runId, epoch]] }
        : { sql: queue.retryLater, rows: [[engine.clock.now() + retryInMs * 1000, failures, runId, epoch]] },
    ],
  });
}
