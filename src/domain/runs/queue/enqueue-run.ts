import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { Engine } from '../engine.ts';

/**
 * Gives a run that is not finished to the workers: one interrupted, parked, resting, or begun on a command line.
 * @throws WaybillError `run_not_found`, `invalid_transition` when it is finished, `lease_held` when somebody works on it
 */
export async function enqueueRun(
  _engine: Engine,
  _runId: RunId,
  _options: { readonly actor: string; readonly acceptDrift: boolean },
): Promise<void> {
  throw new WaybillError('internal', 'not built yet');
}
