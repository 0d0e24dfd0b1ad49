import type { RunId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import { findHeads, type RunHead } from './read-events.ts';

/** A followed run, as far as it is asked whether it missed something. */
export interface Followed {
  readonly runId: RunId;
  /** What the store says of it now; nothing when it has no such run. */
  compare(found: RunHead | undefined): void;
  /** The store could not say it for all at once: it has to ask for itself, and to tell its followers what it meets. */
  ask(): void;
}

/** Hints can be missing; the store is looked at this often whatever they say. */
const lookEveryMs = 1_000;

/**
 * Finds what hints did not tell: one timer and one read of the store for all followed runs of a process, so that a
 * thousand quiet ones cost no more than one. Neither while nothing is followed.
 */
export class QuietHeads {
  readonly #store: Store;
  readonly #followed = new Set<Followed>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(store: Store) {
    this.#store = store;
  }

  add(run: Followed): void {
    this.#followed.add(run);
    this.#timer ??= setInterval(() => void this.#look(), lookEveryMs);
  }

  delete(run: Followed): void {
    this.#followed.delete(run);
    if (this.#followed.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const asked = [...this.#followed];
    try {
      const heads = await findHeads(
        this.#store,
        asked.map(({ runId }) => runId),
      );
      for (const run of asked) run.compare(heads.get(run.runId));
    } catch {
      // Each asks for itself, and so meets the error and tells it.
      for (const run of asked) run.ask();
    } finally {
      this.#looking = false;
    }
  }
}
