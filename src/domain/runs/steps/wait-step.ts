import type { Failure, Receipt } from '../../../contract/evidence.ts';
import type { JsonObject, JsonValue } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { OperationStatement } from '../../../platform/store/store.ts';
import type { Execution, RunFacts } from '../execution/execution.ts';
import type { PendingStep } from '../execution/replay.ts';
import { idempotencyKey, type StepWork } from '../keys/step-key.ts';
import type { EventDraft } from '../ledger/event-body.ts';
import type { Append, LedgerWriter } from '../ledger/ledger-writer.ts';
import * as statements from '../ledger/statements.ts';
import { receiptOf } from './receipt.ts';
import { resultOf } from './run-step.ts';
import { longestTimerMs, type StepPlace } from './step-place.ts';
import { stepReference } from './step-reference.ts';

export interface WaitSpec extends StepPlace {
  readonly action: 'approval' | 'signal' | 'sleep';
  readonly name: string;
  readonly inputs: JsonObject;
  /** Milliseconds after which the waiting ends by itself. */
  readonly timeoutMs: number | null;
}

/** What ends a wait: its answer, or the failure it becomes. */
export type Settlement = { readonly outputs: JsonValue } | { readonly failure: Failure };

const openingEvent = { approval: 'approval.requested', signal: 'signal.awaited', sleep: 'sleep.started' } as const;

/** A shorter sleep is not worth giving the lease away for. */
const shortSleepMs = 1_000;

/**
 * A step that waits: for an answer, a signal or the time. While nothing else is at work the run rests without a
 * process; whoever answers writes the receipt, and the next execution finds it.
 */
export async function waitStep(execution: Execution, spec: WaitSpec): Promise<JsonValue> {
  execution.asked();
  const { engine, run } = execution;
  const inputs = engine.redact.json(spec.inputs).value;
  const step = stepReference(execution, spec, inputs);
  const work: StepWork = { action: spec.action, task: spec.task, inputs, expectedOutputs: [], step };
  const recorded = execution.replay.claim(work);
  if (recorded?.kind === 'receipt') {
    await recorded.delivered;
    execution.asked();
    return (await resultOf(recorded.receipt, execution)).outputs;
  }
  if (!execution.replay.finished) await execution.replay.admitted(work);
  const pending = recorded?.pending ?? (await execution.working(() => open(execution, spec, work)));
  const receipt = await settled(execution, pending, run);
  execution.asked();
  return (await resultOf(receipt, execution)).outputs;
}

async function open(execution: Execution, spec: WaitSpec, work: StepWork): Promise<PendingStep> {
  const { engine, run, ledger } = execution;
  const snapshot = run.snapshot?.digest ?? null;
  const key = idempotencyKey(work, { snapshot, root: run.root });
  const now = engine.clock.now();
  const until = spec.timeoutMs === null ? null : now + spec.timeoutMs * 1000;
  const pending: PendingStep = {
    work,
    idempotencyKey: key,
    attempt: 1,
    failures: 0,
    firstSeq: ledger.nextSeq,
    snapshot,
    waitingFor: spec.action,
    until,
    startedAt: now,
  };
  const body = canonicalJson({ work, failures: 0, snapshot, until });
  const row = [run.runId, key, spec.action, work.step.name, 1, spec.action, body, ledger.nextSeq, now];
  await appendOrStop(execution, {
    events: [
      {
        type: openingEvent[spec.action],
        step: work.step,
        attempt: 1,
        data: { idempotencyKey: key, inputs: work.inputs, until },
      },
    ],
    also: [{ sql: statements.insertPending, rows: [row] }],
  });
  return pending;
}

/** The receipt of a wait, once there is one; never when the run goes to rest first. */
async function settled(execution: Execution, pending: PendingStep, run: RunFacts): Promise<Receipt> {
  const { promise, resolve } = Promise.withResolvers<Receipt>();
  const remaining = pending.until === null ? null : Math.max(0, (pending.until - execution.engine.clock.now()) / 1000);
  const byTime = () =>
    execution.working(() =>
      settleWait(execution.ledger, pending, run, bySelf(pending), [], []).catch(fatal(execution)),
    );
  if (pending.waitingFor === 'sleep' && remaining !== null && remaining <= shortSleepMs) {
    await execution.working(() => new Promise<void>((done) => execution.timer(remaining, done)));
    return byTime();
  }
  execution.addWait(pending.idempotencyKey, { pending, settle: resolve });
  if (remaining !== null) {
    after(execution, remaining, () => {
      if (execution.takeWait(pending.idempotencyKey) !== undefined) byTime().then(resolve, () => {});
    });
  }
  return promise;
}

/** A timer counts in 31 bits, about 25 days; what takes longer is waited for in pieces. */
function after(execution: Execution, milliseconds: number, done: () => void): void {
  const piece = Math.min(milliseconds, longestTimerMs);
  execution.timer(piece, () => (milliseconds > piece ? after(execution, milliseconds - piece, done) : done()));
}

/** What a wait becomes when its time is over. */
export function bySelf(pending: PendingStep): Settlement {
  if (pending.waitingFor === 'sleep') return { outputs: null };
  return {
    failure: {
      code: 'approval_timeout',
      message: `nobody answered "${pending.work.step.name}" in time`,
      hint: 'Start again with `waybill resume RUN --retry-failed --reason TEXT`, and answer with `waybill approve`.',
      retryable: false,
    },
  };
}

/** Ends a wait: its events, its receipt and the end of its pending row in one commit. By whoever holds the lease. */
export async function settleWait(
  ledger: LedgerWriter,
  pending: PendingStep,
  run: RunFacts,
  settlement: Settlement,
  events: readonly EventDraft[],
  also: readonly OperationStatement[],
  change?: Append['change'],
): Promise<Receipt> {
  const { step } = pending.work;
  const failed = 'failure' in settlement;
  const appended = await ledger.append({
    events: [
      ...events.map((event) => ({ ...event, step, attempt: pending.attempt })),
      {
        type: failed ? 'step.failed' : 'step.succeeded',
        step,
        attempt: pending.attempt,
        data: failed ? { failure: settlement.failure } : {},
      },
    ],
    also: [...also, { sql: statements.deletePending, rows: [[run.runId, pending.idempotencyKey]] }],
    ...(change === undefined ? {} : { change }),
    receipt: (place) =>
      receiptOf({
        run,
        work: pending.work,
        place,
        idempotencyKey: pending.idempotencyKey,
        snapshot: pending.snapshot,
        attempts: pending.attempt,
        startedAt: pending.startedAt,
        treeAfter: null,
        artifacts: [],
        redactions: 0,
        ...(failed
          ? { outcome: 'failed', failure: settlement.failure }
          : { outcome: 'succeeded', outputs: settlement.outputs }),
      }),
  });
  if (appended.receipt === null) throw new Error('an append with a receipt gave none');
  return appended.receipt;
}

async function appendOrStop(execution: Execution, entry: Append): Promise<void> {
  await execution.ledger.append(entry).catch(fatal(execution));
}

function fatal(execution: Execution): (error: unknown) => never {
  return (error) => {
    execution.stop({ kind: 'error', error });
    throw error;
  };
}
