import { WaybillError } from '../../../contract/errors.ts';
import type { Failure, Receipt, StepReference } from '../../../contract/evidence.ts';
import type { IdempotencyKey } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { StepError } from '../../../contract/step-error.ts';
import type { Artifact, RetryPolicy } from '../../../contract/workflow.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { OperationStatement } from '../../../platform/store/store.ts';
import type { Execution } from '../execution/execution.ts';
import { failureOf } from '../execution/failure.ts';
import type { PendingStep } from '../execution/replay.ts';
import { displayStep, idempotencyKey, type StepWork } from '../keys/step-key.ts';
import type { EventDraft } from '../ledger/event-body.ts';
import * as statements from '../ledger/statements.ts';
import { fullJitter, pause } from './backoff.ts';
import { keepOutputs, readOutputs, receiptOf } from './receipt.ts';
import { stepReference, withoutSecrets } from './step-reference.ts';

export interface StepSpec {
  readonly action: string;
  readonly name: string;
  readonly scope: readonly string[];
  readonly task: string | null;
  readonly inputs: JsonValue;
  readonly expectedOutputs: readonly string[];
  readonly retry: Required<RetryPolicy>;
  /** Starts again after the death of an agent's process; counted apart from the retries. */
  readonly restarts: number;
  /** Record the tree after it. */
  readonly touchesTree: boolean;
  /** A function in this process: nothing outlives it, so its start and its finish share one commit. */
  readonly inProcess: boolean;
  /** Its place, when the caller has counted it already. */
  readonly step?: StepReference;
}

/** One try of a step, as the code that does the work sees it. */
export interface Attempt {
  readonly number: number;
  readonly step: StepReference;
  readonly display: string;
  readonly idempotencyKey: IdempotencyKey;
  readonly inputs: JsonValue;
  /** The key may have been sent before. */
  readonly resent: boolean;
  readonly signal: AbortSignal;
  /** Appends an event of this attempt; resolves when it is durable. */
  readonly note: (
    type: EventDraft['type'],
    data: EventDraft['data'],
    also?: readonly OperationStatement[],
  ) => Promise<void>;
  /** Rows and events that shall be in the same commit as the attempt's end. */
  readonly atEnd: (events: readonly EventDraft[], also: readonly OperationStatement[]) => void;
}

export interface StepResult {
  readonly outputs: JsonValue;
  readonly artifacts: readonly Artifact[];
}

const deadAgent = new Set<string>(['agent_exited', 'agent_heartbeat_lost', 'agent_no_hello', 'agent_spawn_failed']);

/**
 * The life of every step that does work: look it up among what is recorded, else run it, attempt by attempt,
 * and make its receipt durable before anyone sees the result.
 * @throws StepError what the receipt of a failed step says, the same on every resume
 */
export async function runStep(
  execution: Execution,
  spec: StepSpec,
  perform: (attempt: Attempt) => Promise<StepResult>,
): Promise<StepResult> {
  execution.asked();
  const redacted = execution.engine.redact.json(spec.inputs);
  const step = spec.step ?? stepReference(execution, spec, redacted.value);
  const work: StepWork = {
    action: withoutSecrets(execution, spec.action),
    task: spec.task,
    inputs: redacted.value,
    expectedOutputs: spec.expectedOutputs.map((path) => withoutSecrets(execution, path)),
    step,
  };
  const recorded = execution.replay.claim(work);
  if (recorded?.kind === 'receipt') {
    await recorded.delivered;
    execution.asked();
    return resultOf(recorded.receipt, execution);
  }
  if (!execution.replay.finished) await execution.replay.admitted(work);
  const one = new OneStep(execution, spec, work, redacted.count, recorded?.pending);
  const receipt = await execution.working(() => one.perform(perform));
  return resultOf(receipt, execution);
}

/** What the workflow gets: always read from the receipt, so live and resumed are the same. */
export async function resultOf(receipt: Receipt, execution: Execution): Promise<StepResult> {
  if (receipt.failure !== undefined) throw new StepError(displayStep(receipt.step), receipt.failure);
  const read = () => readOutputs(receipt, execution.engine.blobs);
  // Reading from the blobs takes time, in which the run must not look as if nothing happened in it.
  const outputs = receipt.outputsBlob === undefined ? await read() : await execution.working(read);
  return { outputs, artifacts: receipt.artifacts };
}

class OneStep {
  readonly #execution: Execution;
  readonly #spec: StepSpec;
  readonly #work: StepWork;
  readonly #redactions: number;
  readonly #key: IdempotencyKey;
  readonly #snapshot: string | null;
  readonly #startedAt: number;
  #attempt: number;
  #failures: number;
  #restarts = 0;
  #resent: boolean;
  /** There is a row that says it is under way; a function gets one when it is to be tried again. */
  #pendingKept: boolean;
  #endEvents: EventDraft[] = [];
  #endRows: OperationStatement[] = [];

  constructor(
    execution: Execution,
    spec: StepSpec,
    work: StepWork,
    redactions: number,
    pending: PendingStep | undefined,
  ) {
    const { run, engine } = execution;
    this.#execution = execution;
    this.#spec = spec;
    this.#work = work;
    this.#redactions = redactions;
    // A step left half done keeps the key it was sent with, even when the tree has changed since.
    this.#snapshot = pending === undefined ? (run.snapshot?.digest ?? null) : pending.snapshot;
    this.#key = pending?.idempotencyKey ?? idempotencyKey(work, { snapshot: this.#snapshot, root: run.root });
    this.#attempt = pending?.attempt ?? 0;
    this.#failures = pending?.failures ?? 0;
    this.#resent = pending !== undefined;
    this.#pendingKept = pending !== undefined;
    this.#startedAt = pending?.startedAt ?? engine.clock.now();
  }

  /** A failed step has a receipt too: what is thrown here is not its failure, and ends the execution. */
  async perform(perform: (attempt: Attempt) => Promise<StepResult>): Promise<Receipt> {
    try {
      return await this.#attempts(perform);
    } catch (error) {
      this.#execution.stop({ kind: 'error', error });
      throw error;
    }
  }

  async #attempts(perform: (attempt: Attempt) => Promise<StepResult>): Promise<Receipt> {
    for (;;) {
      this.#attempt += 1;
      const started = await this.#start();
      try {
        const result = await perform(this.#handle());
        return await this.#succeed(started, result);
      } catch (error) {
        this.#execution.signal.throwIfAborted();
        // What the machine cannot do is no failure of the step: the run goes on once that is mended.
        if (error instanceof WaybillError && error.exitCode === 3) throw error;
        const failure = failureOf(error, this.#execution.engine.redact);
        const waitMs = this.#nextTry(failure);
        if (waitMs === null) return await this.#fail(started, failure);
        await this.#failAttempt(started, failure, waitMs);
        await pause(waitMs, this.#execution.signal);
      }
    }
  }

  #event(type: EventDraft['type'], data: EventDraft['data']): EventDraft {
    return { type, step: this.#work.step, attempt: this.#attempt, data };
  }

  /** Events of the start that are not durable yet: those of a function wait for its finish. */
  async #start(): Promise<readonly EventDraft[]> {
    const inputs = await keepOutputs(this.#work.inputs, this.#execution.engine.blobs);
    const event = this.#event('attempt.started', {
      action: this.#work.action,
      idempotencyKey: this.#key,
      ...(inputs.outputs === undefined ? { inputsBlob: inputs.outputsBlob } : { inputs: inputs.outputs }),
      ...(this.#work.expectedOutputs.length > 0 ? { expectedOutputs: this.#work.expectedOutputs } : {}),
      ...(this.#resent ? { resent: true } : {}),
      ...(this.#redactions > 0 ? { redactions: this.#redactions } : {}),
    });
    if (this.#spec.inProcess) return [event];
    await this.#execution.ledger.append({ events: [event], also: [this.#pendingRow()] });
    this.#pendingKept = true;
    return [];
  }

  #pendingRow(): OperationStatement {
    const body = canonicalJson({ work: this.#work, failures: this.#failures, snapshot: this.#snapshot, until: null });
    const { run, ledger, engine } = this.#execution;
    const values = [
      run.runId,
      this.#key,
      this.#work.action,
      this.#work.step.name,
      this.#attempt,
      null,
      body,
      ledger.nextSeq,
      engine.clock.now(),
    ];
    return { sql: statements.insertPending, rows: [values] };
  }

  #handle(): Attempt {
    return {
      number: this.#attempt,
      step: this.#work.step,
      display: displayStep(this.#work.step),
      idempotencyKey: this.#key,
      inputs: this.#work.inputs,
      resent: this.#resent,
      signal: this.#execution.signal,
      note: (type, data, also) =>
        this.#execution.ledger
          .append({ events: [this.#event(type, data)], ...(also === undefined ? {} : { also }) })
          .then(() => {}),
      atEnd: (events, also) => {
        this.#endEvents.push(...events);
        this.#endRows.push(...also);
      },
    };
  }

  async #succeed(started: readonly EventDraft[], result: StepResult): Promise<Receipt> {
    const outputs = this.#execution.engine.redact.json(result.outputs);
    const stored = await keepOutputs(outputs.value, this.#execution.engine.blobs);
    const artifacts = result.artifacts.map((each) => ({ ...each, path: withoutSecrets(this.#execution, each.path) }));
    return this.#finish(started, this.#event('step.succeeded', artifacts.length === 0 ? {} : { artifacts }), {
      outcome: 'succeeded',
      ...stored,
      artifacts,
      redactions: this.#redactions + outputs.count,
    });
  }

  async #fail(started: readonly EventDraft[], failure: Failure): Promise<Receipt> {
    const { engine, run } = this.#execution;
    const errorId = await engine.report({
      runId: run.runId,
      step: displayStep(this.#work.step),
      agent: null,
      code: failure.code,
      message: failure.message,
      details: failure.details ?? {},
      input: this.#work.inputs,
    });
    const event = this.#event('step.failed', { failure, ...(errorId === null ? {} : { errorId }) });
    return this.#finish(started, event, { outcome: 'failed', failure, artifacts: [], redactions: this.#redactions });
  }

  async #finish(
    started: readonly EventDraft[],
    closing: EventDraft,
    what: Pick<Receipt, 'outcome' | 'artifacts' | 'redactions'> & Partial<Receipt>,
  ): Promise<Receipt> {
    const { run } = this.#execution;
    const tree = this.#spec.touchesTree ? await this.#execution.tree?.record() : undefined;
    const startedAt = this.#startedAt;
    const appended = await this.#execution.ledger.append({
      events: [...started, ...this.#endEvents, closing],
      ...(tree === undefined ? {} : { tree: tree.snapshot.digest }),
      also: [
        ...(tree?.also ?? []),
        ...this.#endRows,
        ...(this.#pendingKept ? [{ sql: statements.deletePending, rows: [[run.runId, this.#key]] }] : []),
      ],
      receipt: (place) =>
        receiptOf({
          ...what,
          run,
          work: this.#work,
          place,
          idempotencyKey: this.#key,
          snapshot: this.#snapshot,
          attempts: this.#attempt,
          startedAt,
          treeAfter: tree?.snapshot.digest ?? null,
        }),
    });
    if (appended.receipt === null) throw new Error('an append with a receipt gave none');
    return appended.receipt;
  }

  async #failAttempt(started: readonly EventDraft[], failure: Failure, waitMs: number): Promise<void> {
    const event = this.#event('attempt.failed', { failure, retryInMs: waitMs });
    await this.#execution.ledger.append({
      events: [...started, ...this.#endEvents, event],
      // Also for a function: the number of its next attempt and its retries left must survive a crash.
      also: [...this.#endRows, this.#pendingRow()],
    });
    this.#pendingKept = true;
    this.#endEvents = [];
    this.#endRows = [];
    this.#resent = true;
  }

  /** Milliseconds until the next attempt, or null when the failure is final. */
  #nextTry(failure: Failure): number | null {
    if (deadAgent.has(failure.code) && this.#restarts < this.#spec.restarts) {
      this.#restarts += 1;
      return fullJitter(this.#restarts, this.#spec.retry);
    }
    if (!failure.retryable || this.#failures >= this.#spec.retry.retries) return null;
    this.#failures += 1;
    return fullJitter(this.#failures, this.#spec.retry);
  }
}
