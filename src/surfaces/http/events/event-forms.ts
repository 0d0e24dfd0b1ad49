import { ndjsonMediaType, type StreamEnd, sseMediaType } from '../../../contract/api/events.ts';
import type { FeedPage } from '../../../domain/runs/ledger/run-feed.ts';
import type { EventMediaType } from './choose-form.ts';

/** How a stream of events is written. The events are the same in every form: the exact lines of the ledger. */
export interface EventForm {
  readonly mediaType: EventMediaType;
  /** What comes before the first event. */
  readonly opening: Buffer | null;
  /** One buffer for all who get this page: a thousand followers cost one encoding and one copy in memory. */
  page(page: FeedPage): Buffer;
  /** A sign of life that readers skip. */
  readonly heartbeat: Buffer;
  end(end: StreamEnd): Buffer;
}

/** How long a browser waits before it connects again, in milliseconds. */
const reconnectMs = 1_000;

const ndjson: EventForm = {
  mediaType: ndjsonMediaType,
  opening: null,
  page: sharedPages(({ events }) => events.map(({ line }) => `${line}\n`).join('')),
  heartbeat: Buffer.from('\n'),
  end: (end) => Buffer.from(`${JSON.stringify(end)}\n`),
};

const serverSent: EventForm = {
  mediaType: sseMediaType,
  opening: Buffer.from(`retry: ${reconnectMs}\n\n`),
  // A line of the ledger is JSON and so has no line break, which alone would need more than one `data:`.
  page: sharedPages(({ events }) => events.map(({ seq, line }) => `id: ${seq}\ndata: ${line}\n\n`).join('')),
  heartbeat: Buffer.from(': heartbeat\n\n'),
  end: (end) => Buffer.from(`event: end\ndata: ${JSON.stringify(end)}\n\n`),
};

export const eventForms: Readonly<Record<EventMediaType, EventForm>> = {
  [ndjsonMediaType]: ndjson,
  [sseMediaType]: serverSent,
};

function sharedPages(write: (page: FeedPage) => string): (page: FeedPage) => Buffer {
  const written = new WeakMap<FeedPage, Buffer>();
  return (page) => {
    const known = written.get(page);
    if (known !== undefined) return known;
    const bytes = Buffer.from(write(page));
    written.set(page, bytes);
    return bytes;
  };
}
