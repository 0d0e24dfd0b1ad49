import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { Engine } from '../engine.ts';

export interface SubmitRequest {
  readonly workflow: string;
  readonly input: JsonValue;
  readonly tasks: readonly string[];
  /** The tool a run of the workflow `tool` calls; what limits per tool count. */
  readonly tool: string | null;
  /** Higher goes first. */
  readonly priority: number;
  readonly actor: string;
  readonly idempotencyKey?: string;
}

export interface Submitted {
  readonly runId: RunId;
  /** False when an earlier request with the same key made it. */
  readonly created: boolean;
}

/**
 * Makes a run that waits for a worker: durable before it returns, in the state `queued`.
 * @throws WaybillError `workflow_not_found`, `invalid_input`, `queue_full`, `idempotency_key_reused`
 */
export async function submitRun(
  _engine: Engine,
  _limits: { readonly maxQueue: number },
  _request: SubmitRequest,
): Promise<Submitted> {
  throw new WaybillError('internal', 'not built yet');
}
