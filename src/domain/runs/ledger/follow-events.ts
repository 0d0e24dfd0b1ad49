import type { RunId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import { isTerminal } from '../states.ts';
import { readEvents, type StoredEvent } from './read-events.ts';

export interface FollowOptions {
  /** The last `seq` already known; 0 for all. */
  readonly since: number;
  readonly signal?: AbortSignal;
  /** Ends after this long, whether or not anything came. */
  readonly timeoutMs?: number;
  /** Ends also when the run waits for a person, a signal or the time. */
  readonly untilWaiting?: boolean;
}

/** Why a follower ended and how far it got: go on from `cursor` and nothing is lost or repeated. */
export interface FollowEnd {
  readonly why: 'terminal' | 'waiting' | 'deadline' | 'aborted';
  readonly cursor: number;
}

/** Hints can be missing; the store is looked at this often whatever they say. */
const lookEveryMs = 1_000;

/**
 * The events after a cursor, those of the past and then each new one once it is durable, until the run's terminal
 * event, which is always the last. Reads pages, so a slow reader costs no memory and a fast run loses nothing.
 * @throws WaybillError `run_not_found`, `invalid_argument`
 */
export async function* followEvents(
  store: Store,
  runId: RunId,
  options: FollowOptions,
): AsyncGenerator<StoredEvent, FollowEnd> {
  const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
  const deadline = performance.now() + timeoutMs;
  let cursor = options.since;
  // Before the first read: what is appended after a read gives a hint that the next wait finds.
  using news = store.hints.subscribe(`run:${runId}`);
  for (;;) {
    const page = await readEvents(store, runId, cursor);
    for (const event of page.events) {
      if (signal?.aborted === true) return { why: 'aborted', cursor };
      cursor = event.seq;
      yield event;
    }
    if (signal?.aborted === true) return { why: 'aborted', cursor };
    if (!page.more && isTerminal(page.state)) return { why: 'terminal', cursor };
    if (!page.more && options.untilWaiting === true && page.state === 'waiting') return { why: 'waiting', cursor };
    const left = deadline - performance.now();
    if (left <= 0) return { why: 'deadline', cursor };
    if (page.more) continue;
    await news.next(Math.min(left, lookEveryMs), signal);
  }
}
