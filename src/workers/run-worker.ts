import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WaybillError } from '../contract/errors.ts';
import type { RunId } from '../contract/ids.ts';
import type { Engine } from '../domain/runs/engine.ts';
import type { Outcome } from '../domain/runs/execution/perform.ts';
import { type ClaimedRun, claimRuns, nextDue } from '../domain/runs/queue/claim-runs.ts';
import { putBack } from '../domain/runs/queue/put-back.ts';
import { type SubmitRequest, type Submitted, submitRun } from '../domain/runs/queue/submit-run.ts';
import type { Runs } from '../domain/runs/runs.ts';
import { fullJitter } from '../domain/runs/steps/backoff.ts';
import type { Micros } from '../platform/clock/clock.ts';
import { correlationScope, currentTraceparent } from '../platform/correlation/correlation.ts';
import { mostDeaths, verdictOn } from './run-worker-verdict.ts';

export interface RunWorkerParts {
  readonly engine: Engine;
  readonly runs: Runs;
  /** Runs at work at once in this worker. */
  readonly concurrency: number;
  /** Runs at work at once on the whole store, by tool. */
  readonly toolLimits: ReadonlyMap<string, number>;
  /** Runs that may wait for a place. */
  readonly maxQueue: number;
  /** Told of each error that is not a run's own; `runId` is null when it was about none. */
  readonly report: (error: unknown, runId: RunId | null) => Promise<unknown>;
  /** Told when a run of this process begins to be worked on, and when it is let go: what keeps its files. */
  readonly evidence?: { follow(runId: RunId): void; finish(runId: RunId): Promise<void> };
}

/** What became of the runs at work when a drain began. */
export interface DrainReport {
  /** Came to their own end, or to a rest, within the grace time. */
  readonly ended: number;
  /** Interrupted: any worker goes on with them at once. */
  readonly handedOver: number;
  /** Ended in an error of the system, which was reported. */
  readonly failed: number;
}

export interface WorkerStatistics {
  /** Runs this worker has now. */
  readonly held: number;
  readonly concurrency: number;
  readonly draining: boolean;
  /** Since when, and why, nothing can be claimed; null while the store answers. */
  readonly trouble: { readonly since: Micros; readonly code: string } | null;
}

/** Announced whenever a run may have become ready for a worker. */
const topic = 'queue';
/** Hints can be missing, times become due: the queue is looked at this often whatever happens. */
const lookEveryMs = 1_000;
const claimBackoff = { retries: 0, backoffMs: 500, maxBackoffMs: 5_000 };
const putBackBackoff = { retries: 0, backoffMs: 500, maxBackoffMs: 30_000 };

/**
 * Works on what is queued, with as many runs at once as it has places: claims what is ready, hands it to the engine,
 * and sees to what the engine could not finish. Several, in one process or many, may share a store: who may have a
 * run is decided by its lease alone, so nothing here has to be remembered when this process dies.
 *
 * One loop claims. It sleeps until a hint, a freed place, the next time that is due, or a second has passed; and it
 * never looks again just because limits hold something back.
 */
export class RunWorker {
  readonly #parts: RunWorkerParts;
  readonly #held = new Map<ClaimedRun, Promise<void>>();
  /** Runs that are being made and may become ours; none of them rejects. */
  readonly #submitting = new Set<Promise<unknown>>();
  /** Places of runs that are being claimed or submitted, and may become ours. */
  #reserved = 0;
  /** Ends the present sleep of the loop. */
  #sleep = new AbortController();
  /** Aborted when nothing more is claimed. */
  readonly #closing = new AbortController();
  /** Aborted when what is at work is no longer waited for. */
  readonly #handOver = new AbortController();
  readonly #left = { ended: 0, handedOver: 0, failed: 0 };
  #loop: Promise<void> | undefined;
  #drain: Promise<DrainReport> | undefined;
  /** The last claim got all it asked for: there may be more. */
  #more = true;
  #sleepMs = lookEveryMs;
  #claimFailures = 0;
  #trouble: WorkerStatistics['trouble'] = null;

  constructor(parts: RunWorkerParts) {
    this.#parts = parts;
  }

  /** Begins to claim; orphans of dead workers are among the first it takes. */
  start(): void {
    this.#loop ??= this.#claimUntilClosed();
  }

  /** Looks at the queue now: this process put something into it. */
  wake(): void {
    this.#sleep.abort();
  }

  /**
   * Makes a run. When there is a free place for it and nothing waits before it, it is ours from its first commit on,
   * and need not be claimed.
   * @throws WaybillError as `submitRun`
   */
  async submit(request: SubmitRequest): Promise<Submitted> {
    const { engine, maxQueue, toolLimits } = this.#parts;
    const limited = request.tool !== null && toolLimits.has(request.tool);
    const hold = this.#free > 0 && !limited && !this.#more && !this.#closing.signal.aborted && this.#trouble === null;
    if (!hold) return submitRun(engine, { maxQueue }, request);
    const submitting = this.#reserving(1, async () => {
      const submitted = await submitRun(engine, { maxQueue }, request, { hold });
      if (submitted.claimed !== null) this.#hold(submitted.claimed);
      return submitted;
    });
    const settled: Promise<unknown> = submitting.catch(() => {}).then(() => this.#submitting.delete(settled));
    this.#submitting.add(settled);
    // A place that was kept for what came to nothing is free again.
    return submitting.finally(() => this.#more && this.wake());
  }

  get statistics(): WorkerStatistics {
    return {
      held: this.#held.size,
      concurrency: this.#parts.concurrency,
      draining: this.#drain !== undefined,
      trouble: this.#trouble,
    };
  }

  /**
   * Claims nothing more, lets what is at work finish for `graceMs`, then interrupts the rest so that any worker can
   * go on with it at once. Resolves when this process has nothing to do with any run. A second call waits no longer.
   */
  drain(graceMs: number): Promise<DrainReport> {
    if (this.#drain === undefined) this.#drain = this.#drainWithin(graceMs);
    else this.#handOver.abort();
    return this.#drain;
  }

  async #drainWithin(graceMs: number): Promise<DrainReport> {
    this.#closing.abort();
    this.wake();
    const rest = this.#atRest();
    await Promise.race([rest, delay(graceMs, undefined, { signal: this.#handOver.signal }).catch(() => {})]);
    this.#handOver.abort();
    await this.#parts.runs.shutdown('SIGTERM');
    await rest;
    if (this.#left.handedOver > 0) this.#parts.engine.store.hints.announce(topic);
    return this.#left;
  }

  /** What a claim or a submit under way still gets is held too. */
  async #atRest(): Promise<void> {
    await this.#loop;
    while (this.#held.size + this.#submitting.size > 0) {
      await Promise.all([...this.#held.values(), ...this.#submitting]);
    }
  }

  /** Places that nothing is in or on its way to. */
  get #free(): number {
    return this.#parts.concurrency - this.#held.size - this.#reserved;
  }

  async #reserving<T>(places: number, work: () => Promise<T>): Promise<T> {
    this.#reserved += places;
    try {
      return await work();
    } finally {
      this.#reserved -= places;
    }
  }

  #hold(run: ClaimedRun): void {
    this.#held.set(run, this.#see(run));
  }

  async #claimUntilClosed(): Promise<void> {
    // Before the first look: what is queued after a look gives a hint that the next sleep finds.
    using news = this.#parts.engine.store.hints.subscribe(topic);
    while (!this.#closing.signal.aborted) {
      this.#sleep = new AbortController();
      if (this.#free < 1) {
        this.#more = true;
        await once(this.#sleep.signal, 'abort');
        continue;
      }
      await this.#claim();
      if (this.#closing.signal.aborted) return;
      if (this.#claimFailures > 0) {
        const pause = 50 + fullJitter(this.#claimFailures, claimBackoff);
        await delay(pause, undefined, { signal: this.#closing.signal }).catch(() => {});
      } else await news.next(this.#sleepMs, this.#sleep.signal);
    }
  }

  async #claim(): Promise<void> {
    const { engine, toolLimits } = this.#parts;
    const most = this.#free;
    this.#sleepMs = lookEveryMs;
    try {
      this.#more = await this.#reserving(most, async () => {
        const claimed = await claimRuns(engine, { most, tools: toolLimits });
        for (const run of claimed) this.#hold(run);
        return claimed.length === most;
      });
      const due = this.#more ? null : await nextDue(engine);
      const untilDueMs = due === null ? lookEveryMs : Math.ceil((due - engine.clock.now()) / 1_000);
      // What is due already was not taken because of a limit: looking again at once would change nothing.
      if (untilDueMs > 0) this.#sleepMs = Math.min(lookEveryMs, untilDueMs);
      this.#claimFailures = 0;
      this.#trouble = null;
    } catch (error) {
      this.#claimFailures += 1;
      if (this.#trouble !== null) return;
      this.#trouble = { since: engine.clock.now(), code: codeOf(error) };
      await this.#report(error, null);
    }
  }

  /** Never rejects: what goes wrong with one run is reported and is nothing to the others. */
  async #see(run: ClaimedRun): Promise<void> {
    const { engine, toolLimits } = this.#parts;
    const over = await this.#work(run);
    this.#held.delete(run);
    if (run.tool !== null && toolLimits.has(run.tool)) engine.store.hints.announce(topic);
    else if (this.#more || !over) this.wake();
  }

  /** True when the run is finished: nothing of it can become ready again. */
  async #work(run: ClaimedRun): Promise<boolean> {
    const { runs, evidence } = this.#parts;
    let outcome: Outcome | null = null;
    const began = performance.now();
    try {
      if (run.failures >= mostDeaths) throw tooManyDeaths(run);
      outcome = await inItsTree(run, async () => {
        const held = await runs.work(run);
        evidence?.follow(run.runId);
        return held.outcome;
      });
      this.#count(outcome?.kind === 'interrupted' ? 'handedOver' : 'ended');
    } catch (error) {
      await this.#failed(run, error, performance.now() - began);
    }
    await evidence?.finish(run.runId).catch((error: unknown) => this.#report(error, run.runId));
    return outcome?.kind === 'finished';
  }

  #count(what: keyof DrainReport): void {
    if (this.#drain !== undefined) this.#left[what] += 1;
  }

  async #failed(run: ClaimedRun, error: unknown, tookMs: number): Promise<void> {
    const verdict = verdictOn(error, { failures: run.failures, tookMs });
    this.#count(verdict.kind === 'leave' ? 'handedOver' : 'failed');
    if (verdict.kind === 'leave') return;
    await this.#report(error, run.runId);
    const { code, failures } = verdict;
    const place = { code, failures, retryInMs: verdict.kind === 'park' ? null : verdict.inMs };
    for (let tries = 1; ; tries++) {
      try {
        await putBack(this.#parts.engine, run, place);
        return;
      } catch (problem) {
        if (verdictOn(problem, { failures: 0, tookMs: 0 }).kind === 'leave') return;
        if (tries === 1 && codeOf(problem) !== verdict.code) await this.#report(problem, run.runId);
      }
      // The lease says that this living process has the run, so nobody else would ever take it: tried until it is
      // done, or until this process goes, which frees it too.
      if (this.#handOver.signal.aborted) return;
      const pause = 50 + fullJitter(tries, putBackBackoff);
      await delay(pause, undefined, { signal: this.#handOver.signal }).catch(() => {});
    }
  }

  async #report(error: unknown, runId: RunId | null): Promise<void> {
    try {
      await this.#parts.report(error, runId);
    } catch {
      // Whoever keeps errors counts those it cannot keep; work does not stop for it.
    }
  }
}

/** Only the deaths of its workers bring a run here with as many failures: those it could tell of had it parked before. */
function tooManyDeaths({ runId, failures }: ClaimedRun): WaybillError {
  return new WaybillError('internal', `${failures} workers in a row died or failed while they had run ${runId}`, {
    hint: `See how the daemon ended, mend what ended it, then: waybill resume ${runId}`,
    details: { run: runId, failures },
  });
}

/** The work belongs to the tree of the request that asked for the run; one held from its submit on is in it already. */
function inItsTree<T>({ traceparent }: ClaimedRun, work: () => Promise<T>): Promise<T> {
  if (traceparent === null || traceparent === currentTraceparent()) return work();
  return correlationScope({ component: 'run-worker', inbound: traceparent }, work);
}

function codeOf(error: unknown): string {
  return error instanceof WaybillError ? error.code : 'internal';
}
