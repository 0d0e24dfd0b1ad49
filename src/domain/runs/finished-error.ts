import { WaybillError } from '../../contract/errors.ts';
import type { RunId } from '../../contract/ids.ts';
import type { TerminalState } from './states.ts';

/** A finished run is never reopened; its hint says what can be done instead. */
export function finishedError(runId: RunId, state: TerminalState): WaybillError {
  const hint = {
    succeeded: `There is nothing left to do. Look at it with: waybill show ${runId}`,
    failed: `Try again in a new run: waybill resume ${runId} --retry-failed --reason TEXT`,
    canceled: `A canceled run is not resumed. Begin a new one from a step: waybill fork ${runId} --from STEP`,
  };
  return new WaybillError('invalid_transition', `run ${runId} is ${state}`, { hint: hint[state], details: { state } });
}
