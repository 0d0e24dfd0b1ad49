import { isTerminal } from '../states.ts';
import type { FeedPage, RunFeed } from './run-feed.ts';

export interface FollowOptions {
  /** The last `seq` already known; 0 for all. Beyond the end: what comes after it, once it is there. */
  readonly since: number;
  readonly signal?: AbortSignal;
  /** Ends after this long (milliseconds), whether or not anything came. */
  readonly timeoutMs?: number;
  /**
   * Where to end: at the terminal event (the default); also when the run waits for a person, a signal or the time
   * (`waiting`); at what is the last event in the moment of asking (`now`).
   */
  readonly until?: 'terminal' | 'waiting' | 'now';
}

/**
 * Why a follower ended and how far it got: go on from `cursor` and nothing is lost or repeated. `drain`: this process
 * ends its followers, another one may go on. `gap`: retention removed the run, up to its event `lastRemoved`.
 */
export type FollowEnd =
  | { readonly why: 'terminal' | 'waiting' | 'now' | 'deadline' | 'aborted' | 'drain'; readonly cursor: number }
  | { readonly why: 'gap'; readonly cursor: number; readonly lastRemoved: number };

export type Following =
  | { readonly page: FeedPage; readonly end?: never }
  | { readonly page?: never; readonly end: FollowEnd };

/** `setTimeout` counts in 31 bits; a longer time would fire at once. */
const longestTimeoutMs = 2 ** 31 - 1;

/**
 * One reader of one run's events, at its own pace: it asks for the next page when it can take one, and until then nothing
 * is kept for it. Costs no timer while it waits, unless it has a deadline.
 */
export class Follower implements Disposable {
  readonly #feed: RunFeed;
  readonly #options: FollowOptions;
  readonly #onLeave: () => void;
  readonly #deadline: NodeJS.Timeout | undefined;
  #cursor: number;
  /** The last event at the start, for `until: 'now'`. */
  #target: number | undefined;
  readonly #stop = new AbortController();
  #stopped: 'deadline' | 'aborted' | 'drain' | undefined;
  #left = false;
  #wake: (() => void) | undefined;

  /** @param onLeave told once, when this follower holds nothing any more */
  constructor(feed: RunFeed, options: FollowOptions, onLeave: () => void) {
    this.#feed = feed;
    this.#options = options;
    this.#onLeave = onLeave;
    this.#cursor = options.since;
    feed.join(this.#news);
    options.signal?.addEventListener('abort', this.#abort);
    if (options.signal?.aborted === true) this.stop('aborted');
    if (options.timeoutMs !== undefined) {
      this.#deadline = setTimeout(() => this.stop('deadline'), Math.min(options.timeoutMs, longestTimeoutMs));
    }
  }

  /** `seq` of the last event that was given, or `since`. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Aborted when it is stopped (deadline, drain, abort): who waits for its client to make room can end at once. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** True when nothing will ever follow: the run is finished, or removed, and the cursor is at its end. */
  get complete(): boolean {
    const { head } = this.#feed;
    if (head === undefined) return false;
    return head.kind === 'removed'
      ? this.#cursor >= head.removed.lastSeq
      : isTerminal(head.state) && this.#cursor >= head.seq;
  }

  /**
   * The events that come next, once they are durable, or why there are no more; then it has let go of everything. Called
   * again only when the last call has ended.
   * @throws WaybillError when the store fails, `chain_broken` when events are missing, `run_not_found` when the run is gone
   */
  async next(): Promise<Following> {
    for (;;) {
      if (this.#feed.failure !== undefined) throw this.#feed.failure.error;
      const end = this.#ended();
      if (end !== undefined) {
        this[Symbol.dispose]();
        return { end };
      }
      const { head } = this.#feed;
      if (head?.kind === 'kept' && this.#cursor < head.seq) {
        const page = await this.#feed.page(this.#cursor);
        if (page === undefined || this.#stopped === 'aborted') continue;
        this.#cursor = page.last;
        return { page };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** Ends it where it is; the first reason counts. */
  stop(why: 'deadline' | 'aborted' | 'drain'): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    this.#stop.abort();
    this.#news();
  }

  [Symbol.dispose](): void {
    if (this.#left) return;
    this.#left = true;
    clearTimeout(this.#deadline);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#feed.leave(this.#news);
    this.#onLeave();
    // Whoever still waits in `next` must not wait for ever.
    this.stop('aborted');
  }

  readonly #news = (): void => this.#wake?.();
  readonly #abort = (): void => this.stop('aborted');

  #ended(): FollowEnd | undefined {
    const cursor = this.#cursor;
    const { until = 'terminal' } = this.#options;
    const { head } = this.#feed;
    if (this.complete) return { why: 'terminal', cursor };
    if (this.#stopped !== undefined) return { why: this.#stopped, cursor };
    if (head?.kind === 'removed') return { why: 'gap', cursor, lastRemoved: head.removed.lastSeq };
    if (head === undefined) return undefined;
    this.#target ??= head.seq;
    if (until === 'now' && cursor >= this.#target) return { why: 'now', cursor };
    if (until === 'waiting' && cursor >= head.seq && head.state === 'waiting') return { why: 'waiting', cursor };
    return undefined;
  }
}
