import type { Receipt } from '../../../contract/evidence.ts';
import type { Digest, RunId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { Engine } from '../engine.ts';
import { OccurrenceCounter } from '../keys/step-key.ts';
import type { LedgerWriter } from '../ledger/ledger-writer.ts';
import type { KillReport } from '../ports.ts';
import type { AgentSessions } from '../steps/agent-sessions.ts';
import type { PendingStep, Replay } from './replay.ts';
import type { TreeRecorder } from './tree-recorder.ts';

/** Why an execution was told to end before its workflow did. */
export type StopReason =
  | { readonly kind: 'cancel'; readonly request: string; readonly actor: string; readonly comment: string | null }
  | { readonly kind: 'interrupt'; readonly signal: string }
  | { readonly kind: 'pause'; readonly request: string; readonly actor: string }
  /** Only the outside can move the run on: no step at work, at least one waiting, the workflow silent. */
  | { readonly kind: 'rest' }
  /** Not the run's fault: lease lost, store failed, code changed. Nothing more is written by this holder. */
  | { readonly kind: 'error'; readonly error: unknown };

export interface RunFacts {
  readonly runId: RunId;
  readonly workflow: string;
  readonly tasks: readonly string[];
  readonly root: string;
  /** The tree that counts as the run's input; changes when drift is accepted. */
  readonly snapshot: { readonly id: string; readonly digest: Digest } | null;
}

/** A step that waits for a person, a signal or the time; settled by a request, or by the timer. */
export interface Wait {
  readonly pending: PendingStep;
  /** Told after the answer is durable. */
  readonly settle: (receipt: Receipt) => void;
}

/**
 * One pass of a workflow function by the holder of its lease, and what all its steps share.
 *
 * It knows when nothing can happen any more without the outside: no step at work, at least one waiting, and the
 * workflow silent for two turns of the event loop. Then it stops itself, and the run is put to rest.
 */
export class Execution {
  readonly engine: Engine;
  readonly run: RunFacts;
  readonly ledger: LedgerWriter;
  readonly replay: Replay;
  readonly tree: TreeRecorder | null;
  readonly sessions: AgentSessions;
  readonly occurrences = new OccurrenceCounter();
  readonly waits = new Map<string, Wait>();
  /** What is known of the processes that were ended, for the event that ends the run. */
  readonly gone: KillReport[] = [];
  /** Ids of the requests that were taken up as answers. */
  readonly served = new Set<string>();
  /** Looks for what was sent before anybody waited for it: once the run rests nobody does. */
  beforeRest: () => Promise<void> = async () => {};
  readonly #abort = new AbortController();
  readonly #stopped = Promise.withResolvers<StopReason>();
  #reason: StopReason | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();
  #working = 0;
  #quiet: (() => void)[] = [];
  #asked = 0;
  /** Waits that were added so far, and how many of them there were when we looked the last time before a rest. */
  #added = 0;
  #lookedFor = 0;

  constructor(parts: {
    engine: Engine;
    run: RunFacts;
    ledger: LedgerWriter;
    replay: Replay;
    tree: TreeRecorder | null;
    sessions: AgentSessions;
  }) {
    this.engine = parts.engine;
    this.run = parts.run;
    this.ledger = parts.ledger;
    this.replay = parts.replay;
    this.tree = parts.tree;
    this.sessions = parts.sessions;
  }

  /** Aborted when the execution is told to end; work in flight ends its processes then. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get stopReason(): StopReason | undefined {
    return this.#reason;
  }

  get stopped(): Promise<StopReason> {
    return this.#stopped.promise;
  }

  /** The first reason wins; but a pause, which waits for the steps at work, gives way to what ends them. */
  stop(reason: StopReason): void {
    if (this.#reason !== undefined && (this.#reason.kind !== 'pause' || reason.kind === 'pause')) return;
    this.#reason = reason;
    this.#stopped.resolve(reason);
    if (reason.kind !== 'pause') this.#abort.abort(reason);
    this.#settle();
  }

  /** Counts a step as asked for: the workflow is not silent. */
  asked(): void {
    this.#asked += 1;
  }

  /** Runs `work` as a step at work; when the execution was stopped, it is not begun and never settles. */
  async working<T>(work: () => Promise<T>): Promise<T> {
    if (this.#reason !== undefined) return never();
    this.#working += 1;
    try {
      const result = await work();
      return this.signal.aborted ? never() : result;
    } catch (error) {
      // A stopped execution has nothing to say to its workflow: what ended the step was the stop.
      if (this.signal.aborted) return never();
      throw error;
    } finally {
      this.#working -= 1;
      this.#settle();
    }
  }

  /** Resolves when no step is at work. */
  async quiet(): Promise<void> {
    if (this.#working === 0) return;
    await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  addWait(key: string, wait: Wait): void {
    this.waits.set(key, wait);
    this.#added += 1;
    this.#settle();
  }

  /** Takes a wait away from everybody else who could settle it; undefined when somebody was faster. */
  takeWait(key: string): Wait | undefined {
    const wait = this.waits.get(key);
    this.waits.delete(key);
    return wait;
  }

  /** A timer that ends with the execution. */
  timer(milliseconds: number, done: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      done();
    }, milliseconds);
    this.#timers.add(timer);
  }

  /** Nothing of this execution keeps the process alive, or does anything, after this. */
  dispose(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.replay.stop();
  }

  /** When the earliest wait ends by itself; null when only a person or a signal can end any. */
  get wakeAt(): Micros | null {
    const times = [...this.waits.values()].map((wait) => wait.pending.until).filter((until) => until !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #settle(): void {
    if (this.#working > 0) return;
    for (const resolve of this.#quiet.splice(0)) resolve();
    if (this.waits.size === 0) return;
    const asked = this.#asked;
    setImmediate(() =>
      setImmediate(() => {
        if (this.#working > 0 || this.waits.size === 0 || this.#reason !== undefined) return;
        // It asked for something that was recorded, which nobody tells the end of: look again.
        if (this.#asked !== asked) this.#settle();
        else if (this.#lookedFor === this.#added) this.stop({ kind: 'rest' });
        else this.#look();
      }),
    );
  }

  #look(): void {
    this.#lookedFor = this.#added;
    // When it is done the waits are looked at again, and the run rests if they are still the same.
    this.working(() => this.beforeRest()).catch((error: unknown) => this.stop({ kind: 'error', error }));
  }
}

/** What a stopped execution gives its workflow: nothing, ever. The promise is garbage once the workflow is. */
export function never(): Promise<never> {
  return new Promise<never>(() => {});
}
