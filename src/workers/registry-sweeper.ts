import { setTimeout as delay } from 'node:timers/promises';
import { sweepUploads } from '../domain/registry/blobs/sweep-uploads.ts';
import { removeExpiredDrafts } from '../domain/registry/drafts/remove-expired-drafts.ts';
import type { Registry } from '../domain/registry/registry.ts';

export interface RegistrySweeperParts {
  readonly registry: Registry;
  /** Told of a sweep that failed; the next one comes all the same. */
  readonly report: (error: unknown) => Promise<unknown>;
  /** Waits so long; until then, or until `signal` is aborted. Given by tests. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const minuteMs = 60_000;

/**
 * Removes drafts and uploads whose time is over, once an hour for as long as the daemon runs. Nobody relies on it to be
 * on time: what has expired is refused whether it is still there or not. Any number of them may work on one store.
 */
export class RegistrySweeper {
  readonly #parts: RegistrySweeperParts;
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(parts: RegistrySweeperParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Begins nothing more; a sweep at work stops between two drafts. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  async #work(): Promise<void> {
    const { registry, report, sleep = sleepQuietly } = this.#parts;
    const { signal } = this.#closing;
    // Not while a daemon starts, and not all daemons of a store at once.
    let wait = (1 + 2 * Math.random()) * minuteMs;
    for (;;) {
      await sleep(wait, signal);
      if (signal.aborted) return;
      // One that fails keeps the other from nothing.
      await removeExpiredDrafts(registry, 'waybill', signal).catch(report);
      if (!signal.aborted) await sweepUploads(registry).catch(report);
      wait = (60 + 5 * Math.random()) * minuteMs;
    }
  }
}

async function sleepQuietly(milliseconds: number, signal: AbortSignal): Promise<void> {
  // Aborting only ends the wait; the timer alone keeps no process alive.
  await delay(milliseconds, undefined, { signal, ref: false }).catch(() => {});
}
