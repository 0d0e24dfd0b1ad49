import { WaybillError } from '../../contract/errors.ts';
import type { Digest, RunId } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { asStored } from '../../platform/canonical-json/as-stored.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { chainStart } from '../../platform/chain/chain.ts';
import { currentCorrelation } from '../../platform/correlation/correlation.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { makeRunId } from '../../platform/ids/make-id.ts';
import { commitOperation } from '../../platform/journal/commit.ts';
import type { OperationStatement } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { TreeRecorder } from './execution/tree-recorder.ts';
import { holderText } from './lease/holder.ts';
import { leaseMicros } from './lease/lease.ts';
import { type EventDraft, eventBody, eventDigest } from './ledger/event-body.ts';
import * as statements from './ledger/statements.ts';
import { captureProvenance } from './provenance.ts';
import { keepOutputs } from './steps/receipt.ts';

export interface NewRun {
  readonly workflow: AnyWorkflow;
  readonly input: JsonValue;
  readonly tasks: readonly string[];
  readonly actor: string;
  /** Same key of the same actor, same request: the same run, never a second one. */
  readonly idempotencyKey?: string;
  /** A retried or forked run: what it shares and where it comes from. */
  readonly origin?: RunOrigin;
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

/** What a key stands for: another request under the same key is refused. */
export function requestDigest(
  request: Pick<NewRun, 'input' | 'tasks'> & { readonly workflow: string; readonly origin: JsonValue },
): Digest {
  return digestOf(
    canonicalJson({ workflow: request.workflow, input: request.input, tasks: request.tasks, origin: request.origin }),
  );
}

/**
 * Writes a new run with its first event, already held by this process: one commit, durable before it returns.
 * @throws WaybillError `invalid_input` naming each problem
 */
export async function createRun(engine: Engine, request: NewRun): Promise<CreatedRun> {
  const { workflow } = request;
  const redacted = engine.redact.json(request.input);
  const problems = workflow.problems(redacted.value);
  if (problems.length > 0) {
    const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw new WaybillError('invalid_input', `the input does not fit the workflow "${workflow.name}": ${list}`, {
      hint: 'Give the input as JSON with --input.',
      details: { problems: problems.map(({ path, message }) => ({ path, message })) },
    });
  }
  const tree = workflow.snapshot === 'none' ? null : new TreeRecorder(engine, workflow.snapshot === 'content');
  const recorded = await tree?.record();
  const snapshot = recorded === undefined ? null : { id: recorded.snapshot.id, digest: recorded.snapshot.digest };
  const provenance = await captureProvenance(engine, workflow, redacted.value);
  const kept = await keepOutputs(redacted.value, engine.blobs);
  const correlation = currentCorrelation();
  const first: EventDraft = {
    type: 'run.started',
    ...(correlation === undefined ? {} : { traceId: correlation.correlationId, spanId: correlation.spanId }),
    data: {
      workflow: workflow.name,
      tasks: [...request.tasks],
      actor: request.actor,
      ...(kept.outputs === undefined ? { inputBlob: kept.outputsBlob } : { input: kept.outputs }),
      ...(redacted.count > 0 ? { redactions: redacted.count } : {}),
      snapshot:
        recorded === undefined
          ? null
          : {
              ...snapshot,
              manifest: recorded.manifest,
              count: recorded.snapshot.files.length,
              bytes: recorded.snapshot.bytes,
              omitted: recorded.snapshot.omitted.length,
            },
      provenance,
      ...(request.origin === undefined ? {} : { origin: originFacts(request.origin) }),
    },
  };
  return insert(engine, request, first, { snapshot, also: recorded?.also ?? [], input: asStored(redacted.value) });
}

function originFacts(origin: RunOrigin) {
  return {
    runId: origin.runId,
    kind: origin.kind,
    from: origin.from,
    reason: origin.reason,
    receipts: origin.receipts.length,
  };
}

async function insert(
  engine: Engine,
  request: NewRun,
  first: EventDraft,
  facts: {
    readonly snapshot: CreatedRun['snapshot'];
    readonly also: readonly OperationStatement[];
    readonly input: JsonValue;
  },
): Promise<CreatedRun> {
  for (let tries = 1; ; tries++) {
    const now = engine.clock.now();
    const runId = makeRunId(now);
    const body = eventBody(runId, 1, now, first);
    const digest = eventDigest(chainStart, body);
    const root = request.origin === undefined ? '' : `${request.origin.kind}:${runId}`;
    const { snapshot, input } = facts;
    const key = request.idempotencyKey ?? null;
    const asked =
      key === null
        ? null
        : requestDigest({
            workflow: request.workflow.name,
            input,
            tasks: request.tasks,
            origin: keyedOrigin(request.origin),
          });
    const row = [
      ...[
        runId,
        request.workflow.name,
        canonicalJson(request.tasks),
        'running',
        request.actor,
        root,
        request.workflow.snapshot,
      ],
      ...[snapshot?.id ?? null, snapshot?.digest ?? null, snapshot?.digest ?? null, 1, digest, 0, 1],
      ...[holderText(engine.host.self, now), now + leaseMicros, key, asked, now, now],
    ];
    try {
      await engine.store.submit(
        commitOperation({
          lane: runId,
          change: [
            { sql: statements.insertRun, rows: [row] },
            { sql: statements.insertRunInput, rows: [[runId, canonicalJson(input)]] },
            { sql: statements.insertEvent, rows: [[runId, 1, first.type, body, digest]] },
            ...facts.also,
            ...originRows(runId, request.origin, now),
          ],
          audit: [{ at: now, actor: request.actor, action: 'run.started', resource: runId, outcome: 'succeeded' }],
        }),
      );
    } catch (error) {
      // Another run of this second drew the same eight digits: draw again. Any other clash is told.
      const clash = error instanceof WaybillError && error.code === 'store_constraint' && key === null && tries < 5;
      if (!clash) throw error;
      continue;
    }
    engine.store.hints.announce(`run:${runId}`);
    return { runId, head: { seq: 1, digest, tree: snapshot?.digest ?? null }, snapshot, root, input };
  }
}

/** What of an origin belongs to the request a key names; its receipts follow from the rest. */
export function keyedOrigin(origin: RunOrigin | undefined): JsonValue {
  return origin === undefined ? null : { runId: origin.runId, kind: origin.kind, from: origin.from };
}

function originRows(runId: RunId, origin: RunOrigin | undefined, now: number): OperationStatement[] {
  if (origin === undefined) return [];
  const link: OperationStatement = {
    sql: statements.insertRunLink,
    rows: [[runId, origin.runId, origin.kind, origin.from, origin.reason, now]],
  };
  const shared = origin.receipts.map((each) => [runId, each.runId, each.number]);
  return shared.length === 0 ? [link] : [link, { sql: statements.insertSharedReceipt, rows: shared }];
}
