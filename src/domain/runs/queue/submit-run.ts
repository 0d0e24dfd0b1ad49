import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import type { AnyWorkflow } from '../../../contract/workflow.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { currentTraceparent } from '../../../platform/correlation/correlation.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { OperationStatement } from '../../../platform/store/store.ts';
import { type BegunRun, beginAtOnce } from '../begin-run.ts';
import type { Engine } from '../engine.ts';
import { findByKey } from '../find-by-key.ts';
import { findWorkflow } from '../find-workflow.ts';
import { type InsertedRun, insertRun } from '../insert-run.ts';
import { holderText } from '../lease/holder.ts';
import { leaseMicros } from '../lease/lease.ts';
import * as statements from '../ledger/statements.ts';
import { requestFacts } from '../request-facts.ts';
import { startFacts } from '../start-facts.ts';
import { keyColumns, type NewRun, type RunOrigin, tracedFields } from '../start-run.ts';
import type { ClaimedRun } from './claim-runs.ts';
import * as queue from './queue-statements.ts';

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
  /** What is recorded of the tree, when it is not what the workflow says. */
  readonly snapshot?: AnyWorkflow['snapshot'];
  /** A retried run: what it shares and where it comes from. */
  readonly origin?: RunOrigin;
}

export interface Submitted {
  readonly runId: RunId;
  /** False when an earlier request with the same key made it. */
  readonly created: boolean;
  /** Null for one that was there before. */
  readonly createdAt: Micros | null;
  /** Set when `hold` was asked for: the run is ours, and `Runs.work` must be told. */
  readonly claimed: ClaimedRun | null;
}

export interface SubmitLimits {
  /** How many runs may be ready and wait for a place. On PostgreSQL submits at the same moment may exceed it a little. */
  readonly maxQueue: number;
}

/**
 * Makes a run that waits for a worker: durable before it returns, in the state `queued`.
 * @param options.hold takes its lease in the same commit, for a worker that has a free place for it; a run of which no
 * tree is recorded has begun then, and is `running`
 * @throws WaybillError `workflow_not_found`, `invalid_input`, `queue_full`, `idempotency_key_reused`
 */
export async function submitRun(
  engine: Engine,
  limits: SubmitLimits,
  request: SubmitRequest,
  options: { readonly hold: boolean } = { hold: false },
): Promise<Submitted> {
  const { workflow: name, tool, priority, snapshot, ...rest } = request;
  const workflow = findWorkflow(engine.workflows, name);
  const run: NewRun = { ...rest, workflow, priority };
  const earlier = await findByKey(engine, run);
  if (earlier !== undefined) return { runId: earlier, created: false, createdAt: null, claimed: null };
  const mode = snapshot ?? workflow.snapshot;
  const asked = await requestFacts(engine, run);
  const traceparent = currentTraceparent();
  const first = {
    type: 'run.queued',
    ...tracedFields(),
    data: { ...asked.data, inputDigest: digestOf(asked.text), tool, priority },
  } as const;
  const begins = options.hold && mode === 'none' && run.origin === undefined;
  const facts = begins ? await startFacts(engine, workflow, { mode, input: asked.input }) : null;
  let begun: BegunRun | null = null;
  const begin = (inserted: InsertedRun): readonly OperationStatement[] => {
    if (facts === null) return [];
    const { rows, ...held } = beginAtOnce(engine, inserted, { ...rest, workflow: name, input: asked.input }, facts);
    begun = held;
    return rows;
  };
  let made: InsertedRun;
  try {
    const rows = ({ runId, root, digest, createdAt: now }: InsertedRun): readonly OperationStatement[] => {
      const holder = options.hold ? [1, holderText(engine.host.self, now), now + leaseMicros] : [0, null, null];
      const row = [
        ...[runId, name, canonicalJson(run.tasks), run.actor, root, mode, 1, digest, ...holder],
        ...[...keyColumns(run, asked.input), now, tool],
      ];
      const place = [runId, priority, tool, traceparent];
      const queued: OperationStatement = options.hold
        ? { sql: queue.insertHeldPlace, rows: [place] }
        : {
            sql: queue.insertPlace,
            rows: [[...place, limits.maxQueue]],
            expectChanges: 1,
            refuse: () => queueFull(limits.maxQueue),
          };
      return [{ sql: statements.insertQueuedRun, rows: [row] }, queued];
    };
    made = await insertRun(engine, run, first, asked.text, rows, begin);
  } catch (error) {
    // Of two equal requests at once one inserted first: the other finds its run.
    const winner = request.idempotencyKey === undefined ? undefined : await findByKey(engine, run);
    if (winner === undefined) throw error;
    return { runId: winner, created: false, createdAt: null, claimed: null };
  }
  const { runId, createdAt } = made;
  if (!options.hold) engine.store.hints.announce('queue');
  const claimed = {
    runId,
    epoch: 1,
    tool,
    traceparent,
    failures: 0,
    actor: null,
    acceptDrift: false,
    orphanedBy: null,
  };
  const work = begun === null ? claimed : { ...claimed, begun };
  return { runId, created: true, createdAt, claimed: options.hold ? work : null };
}

function queueFull(most: number): WaybillError {
  return new WaybillError('queue_full', `${most} runs wait already, and no more may`, {
    hint: 'Submit it again in a moment; what waits is listed by: waybill runs --state queued',
    details: { maxQueue: most },
  });
}
