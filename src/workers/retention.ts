import { setTimeout as delay } from 'node:timers/promises';
import { PassSchedule } from '../domain/runs/retention/pass-schedule.ts';
import { type RetentionParts, retentionAudit, retentionLine, runRetention } from './run-retention.ts';

export interface RetentionWorkerParts extends RetentionParts {
  /** Told of a pass that failed; it is begun again within the hour. */
  readonly report: (error: unknown) => Promise<unknown>;
  /** Told in one line what a pass removed and kept. */
  readonly log?: (line: string) => void;
  /** Whose the passes are in the audit: whoever runs the daemon, unless given. */
  readonly actor?: string;
  /** Waits so long; until then, or until `signal` is aborted. Given by tests. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * Retention once a day, for as long as the daemon runs: some minutes after the start, and from then on when the store
 * says that a pass is due, so that neither restarts nor a second daemon change how often it is done.
 */
export class RetentionWorker {
  readonly #parts: RetentionWorkerParts;
  readonly #schedule: PassSchedule;
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(parts: RetentionWorkerParts) {
    this.#parts = parts;
    const { engine, errorStore } = parts;
    this.#schedule = new PassSchedule(engine.store, engine.clock, errorStore.workspaceId);
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Begins nothing more. A pass at work stops between two transactions; the next daemon goes on with it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  async #work(): Promise<void> {
    const { signal } = this.#closing;
    // Not while a daemon starts, and not all daemons of a machine at once.
    let wait = (2 + 3 * Math.random()) * minuteMs;
    for (;;) {
      await (this.#parts.sleep ?? sleepQuietly)(wait, signal);
      if (signal.aborted) return;
      try {
        await this.#passIfDue();
        // A machine that slept wakes late, so never for longer than an hour.
        const dueIn = ((await this.#schedule.next()) - this.#parts.engine.clock.now()) / 1000;
        wait = Math.min(Math.max(dueIn, minuteMs), hourMs);
      } catch (error) {
        await this.#parts.report(error);
        wait = hourMs;
      }
      wait += Math.random() * minuteMs;
    }
  }

  async #passIfDue(): Promise<void> {
    const { engine, log } = this.#parts;
    const { signal } = this.#closing;
    const pass = await this.#schedule.claim();
    if (pass === null) return;
    const actor = this.#parts.actor ?? `local:${process.getuid?.() ?? 0}`;
    const report = await runRetention(this.#parts, { dryRun: false, actor, signal });
    if (signal.aborted) return this.#schedule.giveBack(pass);
    await this.#schedule.end(pass, retentionAudit(report, { at: engine.clock.now(), actor }));
    log?.(retentionLine(report));
  }
}

async function sleepQuietly(milliseconds: number, signal: AbortSignal): Promise<void> {
  // Aborting only ends the wait; the timer alone keeps no process alive.
  await delay(milliseconds, undefined, { signal, ref: false }).catch(() => {});
}
