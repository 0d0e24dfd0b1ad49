import type { IncomingMessage } from 'node:http';
import { WaybillError } from '../../../contract/errors.ts';
import { WatchedSource } from '../../../platform/blobs/watched-source.ts';
import { limitItself } from '../request-arrival.ts';

/** A client that sends nothing for so long is cut off; one that sends may take as long as it needs. */
export const idleMs = 60_000;

/**
 * The body of a request as it comes, for routes that take bytes. Only waiting for the client counts as its silence.
 * @throws WaybillError `unsupported_media_type`, `body_too_large`; while it is read `request_timeout`, and what a
 * connection ends with that is lost
 */
export function requestBytes(
  message: IncomingMessage,
  { maxBytes, silentMs = idleMs }: { readonly maxBytes: number; readonly silentMs?: number },
): AsyncIterable<Uint8Array> {
  const { 'content-encoding': encoding = 'identity', 'content-length': length } = message.headers;
  if (encoding !== 'identity') {
    throw new WaybillError('unsupported_media_type', `bytes are taken as they are, not as ${encoding.slice(0, 40)}`, {
      hint: 'Send them without Content-Encoding: a digest is of the bytes themselves.',
    });
  }
  if (length !== undefined && Number(length) > maxBytes) {
    throw new WaybillError('body_too_large', `a blob has at most ${maxBytes} bytes here`, {
      hint: 'The limit is `registry.maxBlobBytes` in the configuration.',
      details: { maxBytes },
    });
  }
  limitItself(message);
  return untilSilent(message, silentMs);
}

async function* untilSilent(message: IncomingMessage, silentMs: number): AsyncGenerator<Uint8Array, void, void> {
  // Left in the middle, the message must live on: its answer goes over the same connection.
  const source = new WatchedSource(message.iterator({ destroyOnReturn: false }));
  const silent = () => source.end(new WaybillError('request_timeout', `nothing came for ${silentMs / 1000} s`));
  let timer = setTimeout(silent, silentMs);
  try {
    for await (const chunk of source) {
      clearTimeout(timer);
      yield chunk;
      timer = setTimeout(silent, silentMs);
    }
  } finally {
    clearTimeout(timer);
  }
}
