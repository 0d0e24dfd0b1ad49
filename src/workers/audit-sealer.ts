import { setTimeout as delay } from 'node:timers/promises';
import { sealAudit } from '../platform/journal/seal-audit.ts';
import type { Store } from '../platform/store/store.ts';

export interface AuditSealerParts {
  readonly store: Store;
  /** Told of a pass that failed; the next one comes all the same. */
  readonly report: (error: unknown) => Promise<unknown>;
}

/** A record waits so long at most, and a quiet store is asked twice a second. */
const everyMs = 500;
const afterTroubleMs = 10_000;

/** Seals the audit for as long as the daemon runs; any number of them may work on one store. */
export class AuditSealer {
  readonly #parts: AuditSealerParts;
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(parts: AuditSealerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop ??= this.#work();
  }

  /** Seals what was written until now, and ends. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    await this.#pass();
  }

  async #work(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const well = await this.#pass();
      // Not all daemons of a store at the same moment.
      const wait = (well ? everyMs : afterTroubleMs) * (0.75 + Math.random() / 4);
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #pass(): Promise<boolean> {
    try {
      await sealAudit(this.#parts.store, undefined);
      return true;
    } catch (error) {
      await this.#parts.report(error);
      return false;
    }
  }
}
