import { WaybillError } from '../../contract/errors.ts';
import type { RunState } from '../../contract/evidence.ts';

/** A deadline is no end of the run: it says how far it came, and where to go on. */
export function timeIsOver(
  { runId, state, lastSeq }: Pick<RunState, 'runId' | 'state' | 'lastSeq'>,
  timeoutMs: number,
): WaybillError {
  return new WaybillError(
    'wait_timeout',
    `${runId} is still ${state} after ${timeoutMs / 1000} s; the last event is ${lastSeq}`,
    {
      hint: `Go on from there: waybill events ${runId} --since ${lastSeq} --follow`,
      details: { runId, state, cursor: lastSeq },
    },
  );
}
