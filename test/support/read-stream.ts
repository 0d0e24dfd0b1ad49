import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type StreamEnd, streamEndSchema } from '../../src/contract/api/events.ts';
import { type LedgerEvent, ledgerEventSchema, terminalEventTypes } from '../../src/contract/evidence.ts';

export interface ReadStream {
  readonly events: readonly LedgerEvent[];
  readonly end: StreamEnd | null;
  /** How often a connection was made that answered. */
  readonly connections: number;
}

export interface ReadOptions {
  readonly format?: 'ndjson' | 'sse';
  /** Called with each event as it comes. */
  readonly onEvent?: (event: LedgerEvent) => void;
  /** Further headers of the first connection. */
  readonly lastEventId?: number;
}

/**
 * Follows a run as a script with curl would, without our client: bytes, lines, and `Last-Event-ID` when the connection
 * is lost. It ends only with the terminal event, or with a line that says why the stream ended.
 */
export async function readStream(
  daemon: { readonly url: string; readonly token: string },
  runId: string,
  { format = 'sse', onEvent = () => {}, lastEventId = 0 }: ReadOptions = {},
): Promise<ReadStream> {
  const events: LedgerEvent[] = [];
  let [last, connections] = [lastEventId, 0];
  for (;;) {
    try {
      const response = await open(daemon, runId, format, last);
      connections += 1;
      for await (const value of format === 'sse' ? sseData(response) : lines(response)) {
        const line: unknown = JSON.parse(value);
        const end = streamEndSchema.safeParse(line);
        if (end.success && end.data.why === 'drain') break;
        if (end.success) return { events, end: end.data, connections };
        const event = ledgerEventSchema.parse(line);
        events.push(event);
        last = event.seq;
        onEvent(event);
        if (terminalEventTypes.some((type) => type === event.type)) return { events, end: null, connections };
      }
    } catch (error) {
      // What undici throws when the daemon is gone, at once or in the middle of a line; anything else is a defect.
      if (!(error instanceof TypeError)) throw error;
    }
    await delay(20);
  }
}

async function open(
  daemon: { readonly url: string; readonly token: string },
  runId: string,
  format: 'ndjson' | 'sse',
  last: number,
): Promise<Response> {
  const accept = format === 'sse' ? 'text/event-stream' : 'application/x-ndjson';
  const response = await fetch(`${daemon.url}/v1/runs/${runId}/events?follow=true`, {
    headers: { authorization: `Bearer ${daemon.token}`, accept, 'last-event-id': String(last) },
  });
  if (response.status === 503) throw new TypeError('the daemon drains');
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

/** Whole lines only: what a dying daemon left half written never happened. */
async function* lines(response: Response): AsyncGenerator<string> {
  let rest = '';
  if (response.body === null) return;
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts)
      if (part !== '' || response.headers.get('content-type')?.includes('event-stream')) yield part;
  }
}

/** The data of each event of a stream as browsers read it; comments keep the connection alive and say nothing. */
async function* sseData(response: Response): AsyncGenerator<string> {
  let data: string | undefined;
  let id: string | undefined;
  for await (const line of lines(response)) {
    if (line.startsWith('data: ')) data = line.slice(6);
    if (line.startsWith('id: ')) id = line.slice(4);
    if (line !== '' || data === undefined) continue;
    const { seq } = z.object({ seq: z.int().optional() }).parse(JSON.parse(data));
    if (seq !== undefined && id !== String(seq)) throw new Error(`the event ${seq} has the id ${id}`);
    yield data;
    [data, id] = [undefined, undefined];
  }
}
