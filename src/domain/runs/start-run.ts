import type { Digest, RunId } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { currentCorrelation } from '../../platform/correlation/correlation.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import type { Engine } from './engine.ts';
import { insertRun } from './insert-run.ts';
import { holderText } from './lease/holder.ts';
import { leaseMicros } from './lease/lease.ts';
import * as statements from './ledger/statements.ts';
import { requestFacts } from './request-facts.ts';
import { startFacts } from './start-facts.ts';

export interface NewRun {
  readonly workflow: AnyWorkflow;
  readonly input: JsonValue;
  readonly tasks: readonly string[];
  readonly actor: string;
  /** Same key of the same actor, same request: the same run, never a second one. */
  readonly idempotencyKey?: string;
  /** What is recorded of the tree, when it is not what the workflow says. */
  readonly snapshot?: AnyWorkflow['snapshot'];
  /** A retried or forked run: what it shares and where it comes from. */
  readonly origin?: RunOrigin;
  /** Of a run that waits for a worker; 0 unless given. */
  readonly priority?: number;
}

export interface RunOrigin {
  readonly runId: RunId;
  readonly kind: 'retry' | 'fork';
  readonly from: string | null;
  readonly reason: string | null;
  readonly receipts: readonly { readonly runId: string; readonly number: number }[];
}

export interface CreatedRun {
  readonly runId: RunId;
  readonly head: { readonly seq: number; readonly digest: Digest; readonly tree: Digest | null };
  readonly snapshot: { readonly id: string; readonly digest: Digest } | null;
  readonly root: string;
  readonly input: JsonValue;
}

/** What a key stands for: another request under the same key is refused. The input is the one that is stored. */
export function requestDigest({ workflow, tasks, origin, priority = 0 }: NewRun, input: JsonValue): Digest {
  const asked = { workflow: workflow.name, input, tasks, origin: keyedOrigin(origin) };
  return digestOf(canonicalJson(priority === 0 ? asked : { ...asked, priority }));
}

/** The two columns of a request's key; both null without one. */
export function keyColumns(request: NewRun, input: JsonValue): readonly [string | null, Digest | null] {
  const key = request.idempotencyKey;
  return key === undefined ? [null, null] : [key, requestDigest(request, input)];
}

/** Where we are in the correlation tree, as members of an event. */
export function tracedFields(): { readonly traceId?: string; readonly spanId?: string } {
  const correlation = currentCorrelation();
  return correlation === undefined ? {} : { traceId: correlation.correlationId, spanId: correlation.spanId };
}

/**
 * Writes a new run with its first event, already held by this process: one commit, durable before it returns.
 * @throws WaybillError `invalid_input` naming each problem
 */
export async function createRun(engine: Engine, request: NewRun): Promise<CreatedRun> {
  const { workflow } = request;
  const mode = request.snapshot ?? workflow.snapshot;
  const asked = await requestFacts(engine, request);
  const { snapshot, data, also } = await startFacts(engine, workflow, { mode, input: asked.input });
  const first = { type: 'run.started', ...tracedFields(), data: { ...asked.data, ...data } } as const;
  const { runId, digest, root } = await insertRun(engine, request, first, asked.text, (run) => {
    const now = run.createdAt;
    const row = [
      ...[run.runId, workflow.name, canonicalJson(request.tasks), 'running', request.actor, run.root, mode],
      ...[snapshot?.id ?? null, snapshot?.digest ?? null, snapshot?.digest ?? null, 1, run.digest, 0, 1],
      ...[holderText(engine.host.self, now), now + leaseMicros, ...keyColumns(request, asked.input), now, now],
    ];
    return [{ sql: statements.insertRun, rows: [row] }, ...also];
  });
  return { runId, head: { seq: 1, digest, tree: snapshot?.digest ?? null }, snapshot, root, input: asked.input };
}

/** What of an origin belongs to the request a key names; its receipts follow from the rest. */
function keyedOrigin(origin: RunOrigin | undefined): JsonValue {
  return origin === undefined ? null : { runId: origin.runId, kind: origin.kind, from: origin.from };
}
