import type { IncomingMessage } from 'node:http';

const waiting = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/**
 * Gives a request so long to arrive with all of its body. Node's own limit would hold for every route alike, and cut
 * off an upload that is merely large.
 */
export function limitArrival(message: IncomingMessage, ms: number, late: () => void): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = message.headers;
  if (length === '0' && encoding === undefined) return;
  const timer = setTimeout(late, ms);
  waiting.set(message, timer);
  const arrived = () => clearTimeout(timer);
  message.once('end', arrived).once('close', arrived);
}

/** For a route that limits its body itself. */
export function limitItself(message: IncomingMessage): void {
  clearTimeout(waiting.get(message));
}
