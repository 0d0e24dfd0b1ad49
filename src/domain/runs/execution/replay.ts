import { WaybillError } from '../../../contract/errors.ts';
import type { Receipt, StepReference } from '../../../contract/evidence.ts';
import type { IdempotencyKey } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { firstDifference } from '../keys/first-difference.ts';
import { displayStep, type StepWork, workKey } from '../keys/step-key.ts';

/** A step that had begun, and has no receipt, when the run was left. */
export interface PendingStep {
  readonly work: StepWork;
  readonly idempotencyKey: IdempotencyKey;
  readonly attempt: number;
  /** Failed attempts so far; interrupted ones do not count against the retries. */
  readonly failures: number;
  readonly firstSeq: number;
  /** The tree that its key was made with: a step left half done keeps both when drift is accepted. */
  readonly snapshot: string | null;
  readonly waitingFor: 'approval' | 'signal' | 'sleep' | null;
  /** When the waiting ends by itself, in microseconds UTC. */
  readonly until: number | null;
  readonly startedAt: number;
}

export interface RecordedReceipt {
  readonly receipt: Receipt;
  /** True for a receipt of an earlier run that this run shares. */
  readonly shared: boolean;
}

export type Recorded =
  | { readonly kind: 'receipt'; readonly receipt: Receipt; readonly delivered: Promise<void> }
  | { readonly kind: 'pending'; readonly pending: PendingStep };

interface Slot {
  readonly key: string;
  readonly receipt: Receipt;
  readonly resolvers: PromiseWithResolvers<void>;
  claimed: boolean;
}

/**
 * A workflow that neither asks for what is recorded nor finishes for this long has changed. Shorter when it asks
 * for a step of the same name with other inputs: then hardly anything else can be the reason.
 */
const patienceMs = { sameName: 1_000, otherwise: 5_000 };

/**
 * What a resumed run already did, and the order in which its workflow learned of it.
 *
 * The workflow function runs again from its first line. A step it asks for is looked up here: with a receipt it
 * gets the recorded answer, without one it runs. Answers are handed out in the order of their receipts, one per
 * turn of the event loop, so that a `Promise.race` is won again by the step that won it. A step nobody recorded
 * has to wait until all that is recorded was asked for; when that never happens the code has changed, and the
 * run stops with `nondeterministic_workflow` before it does anything new.
 *
 * Receipts shared from another run are different: what the retried or forked run does not ask for is no fault.
 */
export class Replay {
  readonly #own: Slot[];
  readonly #byKey = new Map<string, Slot>();
  readonly #shared = new Map<string, Receipt>();
  /** The shared ones again, which `#shared` loses as they are asked for. */
  readonly #given: readonly Receipt[];
  readonly #pending = new Map<string, PendingStep>();
  readonly #waiting = new Map<() => void, StepWork>();
  readonly #onChanged: (error: WaybillError) => void;
  #next = 0;
  #turn = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    receipts: readonly RecordedReceipt[],
    pending: readonly PendingStep[],
    onChanged: (error: WaybillError) => void,
  ) {
    this.#onChanged = onChanged;
    const own = receipts.filter((each) => !each.shared).map((each) => each.receipt);
    this.#own = own
      .toSorted((a, b) => a.number - b.number)
      .map((receipt) => ({ key: workKey(receipt), receipt, resolvers: Promise.withResolvers<void>(), claimed: false }));
    for (const slot of this.#own) this.#byKey.set(slot.key, slot);
    this.#given = receipts.filter((each) => each.shared).map((each) => each.receipt);
    for (const receipt of this.#given) this.#shared.set(workKey(receipt), receipt);
    for (const each of pending) this.#pending.set(workKey(each.work), each);
  }

  /** True when nothing of this run is recorded that its workflow has not asked for and got. */
  get finished(): boolean {
    return this.#next === this.#own.length && this.#pending.size === 0;
  }

  /** True when no receipt was there at the beginning, of this run or shared. */
  get empty(): boolean {
    return this.#own.length === 0 && this.#given.length === 0;
  }

  /** All receipts there were of an action, shared ones first, in the order they were given. */
  receiptsOf(action: string): readonly Receipt[] {
    const own = this.#own.map((slot) => slot.receipt);
    return [...this.#given, ...own].filter((receipt) => receipt.action === action);
  }

  /** Looks a step up, at the moment the workflow asks for it. */
  claim(work: StepWork): Recorded | undefined {
    if (this.finished && this.#shared.size === 0) return undefined;
    const key = workKey(work);
    const slot = this.#byKey.get(key);
    if (slot !== undefined && !slot.claimed) {
      slot.claimed = true;
      this.#deliver();
      return { kind: 'receipt', receipt: slot.receipt, delivered: slot.resolvers.promise };
    }
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      this.#pending.delete(key);
      this.#progress();
      return { kind: 'pending', pending };
    }
    const shared = this.#shared.get(key);
    if (shared !== undefined) {
      this.#shared.delete(key);
      return { kind: 'receipt', receipt: shared, delivered: Promise.resolve() };
    }
    return undefined;
  }

  /** Resolves when a step that is not recorded, or was left half done, may run. */
  async admitted(work: StepWork): Promise<void> {
    if (this.finished) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(resolve, work);
    this.#watch();
    await promise;
  }

  /** @throws WaybillError `nondeterministic_workflow` when a finished workflow left recorded steps unasked. */
  assertFinished(): void {
    if (this.#own.some((slot) => !slot.claimed) || this.#pending.size > 0) throw this.#changed();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #deliver(): void {
    const slot = this.#own[this.#next];
    if (slot === undefined || !slot.claimed || this.#turn) return;
    this.#next += 1;
    slot.resolvers.resolve();
    this.#progress();
    if (this.#own[this.#next]?.claimed !== true) return;
    // The workflow gets a turn between two answers, so that what follows the first is asked before the second.
    this.#turn = true;
    setImmediate(() => {
      this.#turn = false;
      this.#deliver();
    });
  }

  #progress(): void {
    if (this.finished) {
      this.stop();
      for (const resolve of this.#waiting.keys()) resolve();
      this.#waiting.clear();
    } else if (this.#waiting.size > 0) {
      this.#watch();
    }
  }

  #watch(): void {
    clearTimeout(this.#timer);
    const missing = this.#missing();
    const sameName =
      missing !== undefined && [...this.#waiting.values()].some((each) => isSameName(each.step, missing.step));
    const patience = sameName ? patienceMs.sameName : patienceMs.otherwise;
    this.#timer = setTimeout(() => this.#onChanged(this.#changed()), patience);
  }

  /** The first recorded step nobody has asked for. */
  #missing(): StepWork | undefined {
    return this.#own.find((slot) => !slot.claimed)?.receipt ?? this.#pending.values().next().value?.work;
  }

  #changed(): WaybillError {
    const missing = this.#missing();
    const asked = [...this.#waiting.values()];
    return nondeterministic(missing, asked);
  }
}

/** The error that names the recorded step, what today's code asks for instead, and the first difference of the two. */
function nondeterministic(
  missing: (StepWork & { readonly number?: number }) | undefined,
  asked: readonly StepWork[],
): WaybillError {
  const recorded = missing === undefined ? 'a recorded step' : displayStep(missing.step);
  const instead =
    missing === undefined ? undefined : (asked.find((each) => isSameName(each.step, missing.step)) ?? asked[0]);
  const difference =
    missing === undefined || instead === undefined
      ? undefined
      : firstDifference(comparable(missing), comparable(instead));
  const but =
    instead === undefined
      ? 'the workflow never asked for it'
      : `the workflow asks for ${displayStep(instead.step)}${difference === undefined ? '' : `, which differs first at ${difference.path}`}`;
  return new WaybillError('nondeterministic_workflow', `the run recorded the step ${recorded}, but ${but}`, {
    hint: `Bring back the code the run began with, or go on with the new code from that step: waybill fork RUN --from ${recorded}`,
    details: {
      step: recorded,
      ...(instead === undefined ? {} : { asked: displayStep(instead.step) }),
      ...(difference === undefined
        ? {}
        : { path: difference.path, recorded: difference.left, current: difference.right }),
    },
  });
}

function isSameName(left: StepReference, right: StepReference): boolean {
  return left.name === right.name && left.scope.join('\n') === right.scope.join('\n');
}

function comparable(work: StepWork): JsonValue {
  return {
    action: work.action,
    name: work.step.name,
    scope: work.step.scope,
    occurrence: work.step.occurrence,
    task: work.task,
    inputs: work.inputs,
    expectedOutputs: [...work.expectedOutputs],
  };
}
