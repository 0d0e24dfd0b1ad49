import type { RunId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import { runRemoved } from '../retention/removed-run.ts';
import { Follower, type FollowOptions } from './follower.ts';
import { QuietHeads } from './quiet-heads.ts';
import { assertSince } from './read-events.ts';
import { RunFeed } from './run-feed.ts';
import { Turns } from './turns.ts';

/**
 * The events of all runs that somebody in this process follows. However many follow one run, the store is asked for
 * news once, and those at the same place read it once; whoever is behind reads pages at its own pace.
 */
export class EventFeed {
  readonly #store: Store;
  readonly #quiet: QuietHeads;
  /** In one turn of the event loop: a page takes up to a millisecond to read, and is sent in a fraction of that. */
  readonly #turns = { read: new Turns(4), give: new Turns(64) };
  readonly #runs = new Map<RunId, RunFeed>();
  readonly #followers = new Set<Follower>();
  #draining = false;

  constructor(store: Store) {
    this.#store = store;
    this.#quiet = new QuietHeads(store);
  }

  /** How many follow now, and how many runs. */
  get counts(): { readonly followers: number; readonly runs: number } {
    return { followers: this.#followers.size, runs: this.#runs.size };
  }

  /**
   * A follower that has looked at the run once: what is wrong with the request is thrown here, before anything is sent.
   * @throws WaybillError `run_not_found`, `invalid_argument`, `run_removed` with `until: 'now'` (else it ends with `gap`)
   */
  async follow(runId: RunId, options: FollowOptions): Promise<Follower> {
    assertSince(options.since);
    let feed = this.#runs.get(runId);
    if (feed === undefined) {
      feed = new RunFeed(runId, {
        store: this.#store,
        quiet: this.#quiet,
        turns: this.#turns,
        onEnd: (ended) => {
          if (this.#runs.get(runId) === ended) this.#runs.delete(runId);
        },
      });
      this.#runs.set(runId, feed);
    }
    const follower = new Follower(feed, options, () => this.#followers.delete(follower));
    this.#followers.add(follower);
    try {
      await feed.look();
      if (feed.head?.kind === 'removed' && options.until === 'now') throw runRemoved(feed.head.removed);
    } catch (error) {
      follower[Symbol.dispose]();
      throw error;
    }
    if (this.#draining) follower.stop('drain');
    return follower;
  }

  /** Ends all followers, and from now on each new one, with the reason `drain`. */
  drain(): void {
    this.#draining = true;
    for (const follower of this.#followers) follower.stop('drain');
  }
}
