import type { RunId } from '../../../contract/ids.ts';
import type { HintSubscription, Store } from '../../../platform/store/store.ts';
import { runNotFound } from '../load-run.ts';
import { type RemovedRun, removedRun } from '../retention/removed-run.ts';
import type { Followed, QuietHeads } from './quiet-heads.ts';
import { findHead, largestPage, missing, type RunHead, readEventsAfter, type StoredEvent } from './read-events.ts';
import type { Turns } from './turns.ts';

/** Some consecutive events; one and the same object for all followers that get the same ones. */
export interface FeedPage {
  readonly events: readonly StoredEvent[];
  /** `seq` of the last of them. */
  readonly last: number;
  /** True when more were there already. */
  readonly more: boolean;
}

/** What is known of a followed run; nothing before the first look. */
export type FeedHead =
  | (RunHead & { readonly kind: 'kept' })
  | { readonly kind: 'removed'; readonly removed: RemovedRun }
  | undefined;

export interface RunFeedParts {
  readonly store: Store;
  /** Of the whole process: what looks for news that no hint told. */
  readonly quiet: QuietHeads;
  /** Of the whole process: who may read a page from the store, and who may be given one. */
  readonly turns: { readonly read: Turns; readonly give: Turns };
  /** Told when nobody follows any more, or when it has failed: it is of no more use. */
  readonly onEnd: (feed: RunFeed) => void;
}

/** For ever, as far as a timer can: what no hint tells is found by `QuietHeads`. */
const untilHintedMs = 2 ** 31 - 1;
/** How much text a page has (characters); a single event may be longer. It bounds what is kept for a slow follower. */
const pageSize = 65_536;
/** How many pages of a run are kept for others to share. */
const pagesKept = 8;

/**
 * What all followers of one run in this process share: one look at the store, and the pages they read. Events never
 * change, so a page that is kept is true for ever, and those who are at the same place read the store once.
 */
export class RunFeed implements Followed {
  readonly runId: RunId;
  readonly #parts: RunFeedParts;
  readonly #news: HintSubscription;
  readonly #followers = new Set<() => void>();
  readonly #pages = new Map<number, { readonly found: Promise<FeedPage | undefined>; page?: FeedPage }>();
  #head: FeedHead;
  #looking: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #rows = 64;
  #failure: { readonly error: unknown } | undefined;
  #watching = false;
  /** A hint came since `compare` was last called. */
  #stirred = false;

  constructor(runId: RunId, parts: RunFeedParts) {
    this.runId = runId;
    this.#parts = parts;
    // Before the first look: what is appended after a look gives a hint that the next wait finds.
    this.#news = parts.store.hints.subscribe(`run:${runId}`);
  }

  get head(): FeedHead {
    return this.#head;
  }

  /** Why no more can be told; thrown to each follower. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** @param wake called whenever there may be news, until `leave` */
  join(wake: () => void): void {
    this.#followers.add(wake);
    if (this.#watching) return;
    this.#watching = true;
    this.#parts.quiet.add(this);
    void this.#watch();
  }

  leave(wake: () => void): void {
    if (this.#followers.delete(wake) && this.#followers.size === 0) this.#end();
  }

  /** Looks at the store; a look that began after this was called. Those who ask meanwhile share the one after. */
  look(): Promise<void> {
    this.#next ??= this.#looking.then(() => {
      this.#next = undefined;
      const look = this.#lookNow();
      this.#looking = look.catch(() => {});
      return look;
    });
    return this.#next;
  }

  /** The events after `since`, of which there must be some; nothing when the run was removed meanwhile. */
  async page(since: number): Promise<FeedPage | undefined> {
    await this.#parts.turns.give.take();
    const kept = this.#pages.get(since);
    if (kept !== undefined && (kept.page === undefined || this.#isWhole(kept.page))) return kept.page ?? kept.found;
    const reading: { readonly found: Promise<FeedPage | undefined>; page?: FeedPage } = { found: this.#read(since) };
    this.#pages.delete(since);
    this.#pages.set(since, reading);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= pagesKept) break;
      this.#pages.delete(oldest);
    }
    try {
      const page = await reading.found;
      if (page !== undefined) reading.page = page;
      return page;
    } finally {
      if (reading.page === undefined && this.#pages.get(since) === reading) this.#pages.delete(since);
    }
  }

  /** False for a page that was read at an earlier head: more can be sent at once now. */
  #isWhole(page: FeedPage): boolean {
    return page.more || this.#head?.kind !== 'kept' || page.last >= this.#head.seq;
  }

  async #read(since: number): Promise<FeedPage | undefined> {
    const { store, turns } = this.#parts;
    await turns.read.take();
    const { events, more } = await readEventsAfter(store, this.runId, since, this.#rows);
    if (events.length === 0) {
      await this.look();
      if (this.#head?.kind === 'removed') return undefined;
      throw await missing(store, this.runId, since);
    }
    const count = howManyFit(events);
    // As many rows next time as are likely to fit: of long events few are read, of short ones many.
    this.#rows = count === events.length ? Math.min(this.#rows * 2, largestPage) : Math.max(count, 8);
    return { events: events.slice(0, count), last: since + count, more: more || count < events.length };
  }

  async #lookNow(): Promise<void> {
    const before = this.#head;
    this.#head = await this.#readHead();
    // Whoever asked for this look: what it found is news for all.
    if (!sameHead(before, this.#head)) this.#wake();
  }

  async #readHead(): Promise<FeedHead> {
    const { store } = this.#parts;
    const found = await findHead(store, this.runId);
    if (found !== undefined) return { kind: 'kept', ...found };
    const removed = await removedRun(store, this.runId);
    if (removed === null) throw runNotFound(this.runId);
    return { kind: 'removed', removed };
  }

  compare(found: RunHead | undefined): void {
    const known = this.#head;
    const same = found === undefined ? known?.kind === 'removed' : sameHead(known, { kind: 'kept', ...found });
    if (!same) this.ask();
    // Nobody has asked for the pages of a quiet run for a while: a thousand quiet runs keep none.
    else if (!this.#stirred) this.#pages.clear();
    this.#stirred = false;
  }

  ask(): void {
    void this.#lookForAll();
  }

  async #watch(): Promise<void> {
    for (;;) {
      await this.#news.next(untilHintedMs);
      if (this.#followers.size === 0 || this.#failure !== undefined) return;
      this.#stirred = true;
      await this.#lookForAll();
    }
  }

  /** A look nobody waits for: when it fails, all are told. */
  async #lookForAll(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.#failure ??= { error };
      this.#end();
      this.#wake();
    }
  }

  #wake(): void {
    for (const wake of this.#followers) wake();
  }

  #end(): void {
    this.#parts.quiet.delete(this);
    this.#news[Symbol.dispose]();
    this.#parts.onEnd(this);
  }
}

function howManyFit(events: readonly StoredEvent[]): number {
  let size = 0;
  let count = 0;
  for (const { line } of events) {
    size += line.length;
    if (size > pageSize && count > 0) break;
    count++;
  }
  return count;
}

function sameHead(a: FeedHead, b: FeedHead): boolean {
  if (a?.kind !== 'kept' || b?.kind !== 'kept') return a?.kind === b?.kind;
  return a.seq === b.seq && a.state === b.state;
}
