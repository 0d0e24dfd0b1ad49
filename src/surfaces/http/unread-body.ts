import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

/** So much of a body that nobody wants is read all the same: a new connection would cost more. */
const readAnyway = 65_536;
/** How long a refused client has to read its answer and to stop sending. */
const lingerMs = 1_000;

/** Whether a request goes on after its answer, with more than is worth reading. */
export function leavesBodyUnread({ complete, headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return !complete && (encoding !== undefined || Number(length) > readAnyway);
}

/**
 * An answer to a request of which not all was read: its connection cannot be used again. Closed at once, with bytes still
 * unread, the answer could be lost on its way, so what comes is thrown away for a moment before the answer ends.
 */
export function lastAnswer(text: string, message: IncomingMessage): Readable {
  return Readable.from(lingering(text, message));
}

async function* lingering(text: string, message: IncomingMessage): AsyncGenerator<Buffer, void, void> {
  yield Buffer.from(text);
  const over = new AbortController();
  const end = () => over.abort();
  message.once('end', end).once('close', end).resume();
  await pause(lingerMs, undefined, { signal: over.signal }).catch(() => {});
}
