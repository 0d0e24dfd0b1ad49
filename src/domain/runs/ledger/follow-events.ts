import type { RunId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import { EventFeed } from './event-feed.ts';
import type { FollowEnd, FollowOptions } from './follower.ts';
import type { StoredEvent } from './read-events.ts';

/**
 * The events after a cursor, those of the past and then each new one once it is durable, until the run's terminal
 * event, which is always the last. Reads pages, so a slow reader costs no memory and a fast run loses nothing.
 * For one reader; many in one process share an `EventFeed`.
 * @throws WaybillError `run_not_found`, `invalid_argument`
 */
export async function* followEvents(
  store: Store,
  runId: RunId,
  options: FollowOptions,
): AsyncGenerator<StoredEvent, FollowEnd> {
  using follower = await new EventFeed(store).follow(runId, options);
  let cursor = options.since;
  for (;;) {
    const { page, end } = await follower.next();
    if (end !== undefined) return end;
    for (const event of page.events) {
      if (options.signal?.aborted === true) return { why: 'aborted', cursor };
      cursor = event.seq;
      yield event;
    }
  }
}
