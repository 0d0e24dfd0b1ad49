import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { Engine } from '../engine.ts';

/**
 * What becomes of a run in the queue when working on it ended in an error of the system, not of the work: tried again
 * after `retryInMs`, or, when that is null, parked under `code` until somebody resumes it.
 */
export async function putBack(
  _engine: Engine,
  _runId: RunId,
  _what: { readonly code: string; readonly retryInMs: number | null },
): Promise<void> {
  throw new WaybillError('internal', 'not built yet');
}
