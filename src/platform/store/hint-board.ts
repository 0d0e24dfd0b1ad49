import type { HintSubscription } from './store.ts';

/** What a store closes its hints with. */
export interface HintSource {
  close(): void;
}

class Subscription implements HintSubscription {
  readonly #leave: () => void;
  #hinted = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  hint(): void {
    this.#hinted = true;
    this.#wake?.();
  }

  /** After this, waiting makes no sense: `next` answers at once, so that its caller reads the store and meets its end. */
  close(): void {
    this.#closed = true;
    this.hint();
  }

  async next(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#hinted && !this.#closed && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, timeoutMs);
        this.#wake = wake;
        signal?.addEventListener('abort', wake);
      });
    }
    this.#wake = undefined;
    const hinted = this.#hinted;
    this.#hinted = false;
    return hinted;
  }

  [Symbol.dispose](): void {
    this.#leave();
    this.close();
  }
}

/** The followers of this process, by topic. */
export class HintBoard {
  readonly #followers = new Map<string, Set<Subscription>>();
  readonly #onCount: (followers: number) => void;
  #count = 0;

  /** @param onCount told after each change how many follow anything: what watches other processes runs only then. */
  constructor(onCount: (followers: number) => void) {
    this.#onCount = onCount;
  }

  subscribe(topic: string): HintSubscription {
    const followers = this.#followers.get(topic) ?? new Set();
    this.#followers.set(topic, followers);
    const subscription = new Subscription(() => {
      if (!followers.delete(subscription)) return;
      if (followers.size === 0 && this.#followers.get(topic) === followers) this.#followers.delete(topic);
      this.#counted(-1);
    });
    followers.add(subscription);
    this.#counted(1);
    return subscription;
  }

  hint(topic: string): void {
    const followers = this.#followers.get(topic);
    if (followers !== undefined) for (const follower of followers) follower.hint();
  }

  /** When it is known that something changed but not what. */
  hintAll(): void {
    for (const followers of this.#followers.values()) for (const follower of followers) follower.hint();
  }

  close(): void {
    for (const followers of [...this.#followers.values()])
      for (const follower of [...followers]) follower[Symbol.dispose]();
  }

  #counted(by: 1 | -1): void {
    this.#count += by;
    this.#onCount(this.#count);
  }
}
