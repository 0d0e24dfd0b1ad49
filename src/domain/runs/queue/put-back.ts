import type { RunId } from '../../../contract/ids.ts';
import type { Engine } from '../engine.ts';
import * as queue from './queue-statements.ts';

/**
 * What becomes of a run in the queue when working on it ended in an error of the system, not of the work: tried again
 * after `retryInMs`, or, when that is null, parked under `code` until somebody resumes it. Nothing, when somebody else
 * has it by now.
 */
export async function putBack(
  engine: Pick<Engine, 'store' | 'clock'>,
  runId: RunId,
  { code, retryInMs }: { readonly code: string; readonly retryInMs: number | null },
): Promise<void> {
  await engine.store.submit({
    statements: [
      retryInMs === null
        ? { sql: queue.park, rows: [[code, runId]] }
        : { sql: queue.retryLater, rows: [[engine.clock.now() + retryInMs * 1000, runId]] },
    ],
  });
}
