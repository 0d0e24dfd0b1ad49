import type { RunId } from '../../../contract/ids.ts';
import { modeOf } from '../begin-run.ts';
import type { Engine } from '../engine.ts';
import { findByKey } from '../find-by-key.ts';
import { findWorkflow } from '../find-workflow.ts';
import { retryOrigin } from '../fork-run.ts';
import { loadRun } from '../load-run.ts';
import { factsOf } from '../requests.ts';
import { type SubmitLimits, type Submitted, submitRun } from './submit-run.ts';

/**
 * Makes a new run that shares the good receipts of a failed one and waits for a worker; durable before it returns.
 * @throws WaybillError `run_not_found`, `run_not_failed`, `drift`, `queue_full`, `idempotency_key_reused`
 */
export async function submitRetry(
  engine: Engine,
  limits: SubmitLimits,
  runId: RunId,
  options: {
    readonly actor: string;
    readonly reason: string;
    readonly acceptDrift: boolean;
    readonly idempotencyKey?: string;
  },
): Promise<Submitted> {
  const { actor, idempotencyKey } = options;
  const loaded = await loadRun(engine.store, runId);
  const { workflow, tasks } = factsOf(loaded);
  const { tool } = loaded.row;
  const keyed = { actor, input: loaded.input, tasks, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
  // The run such a request made may have changed the tree since; asked again, it is still that run.
  const unread = { runId, kind: 'retry', from: null, reason: null, receipts: [] } as const;
  const earlier = await findByKey(engine, {
    ...keyed,
    workflow: findWorkflow(engine.workflows, workflow),
    origin: unread,
  });
  if (earlier !== undefined) return { runId: earlier, created: false, createdAt: null, claimed: null };
  const origin = await retryOrigin(engine, loaded, options);
  const snapshot = modeOf(loaded.row.snapshot_mode);
  return submitRun(engine, limits, { ...keyed, workflow, tool, priority: 0, origin, snapshot });
}
