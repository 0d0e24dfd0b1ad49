import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import { Broken } from '../../runs/evidence/broken-link.ts';
import { storeSource } from '../../runs/evidence/store-source.ts';
import { type ProvenRun, proveRun } from '../attestation/run-evidence.ts';
import type { Registry } from '../registry.ts';

/**
 * A run that may be released: it succeeded, and all of its evidence holds, because nothing is signed that does not.
 * @throws WaybillError `run_not_found`, `run_removed`, `run_not_succeeded`, `chain_broken`
 */
export async function runOfRelease(registry: Registry, runId: RunId): Promise<ProvenRun> {
  try {
    const source = await storeSource(registry, runId);
    const { state } = source.run;
    if (state !== 'succeeded') throw notSucceeded(runId, state);
    return await proveRun(source);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const { link, where, expected, actual } = error.broken;
    throw new WaybillError('chain_broken', `the evidence of ${runId} is broken: ${error.message}`, {
      hint: `Nothing is released from it. Look at it with: waybill verify ${runId}`,
      details: { runId, link, where, expected, actual },
      cause: error,
    });
  }
}

function notSucceeded(runId: RunId, state: string): WaybillError {
  const ended = state === 'failed' || state === 'canceled';
  return new WaybillError('run_not_succeeded', `run ${runId} is ${state}; only a run that succeeded is released`, {
    hint: ended ? `See why with: waybill show ${runId}` : `Wait for it with: waybill wait ${runId}`,
    details: { runId, state },
  });
}
