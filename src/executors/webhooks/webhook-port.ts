import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { WaybillError } from '../../contract/errors.ts';
import type { WebhookAnswer, WebhookPort, WebhookRequest } from '../../domain/workspace/ports.ts';
import { type CheckedTarget, checkTarget, type Resolve } from './check-target.ts';
import { retryAfterMs } from './retry-after.ts';

/** So much of an answer's body is read, so that the receiver is not cut off in mid-word; all of it is thrown away. */
const mostRead = 16 * 1_024;
const drainMs = 500;

/** Sends to webhooks: https and http, no redirects, and only to addresses that were checked for this very request. */
export function createWebhookPort(options: {
  readonly allowPrivate: readonly string[];
  /** Given by tests; the system's resolver otherwise. */
  readonly resolve?: Resolve;
}): WebhookPort {
  const check = (url: string) => checkTarget(url, options.allowPrivate, options.resolve);
  return {
    check: async (url) => (await check(url)).url.href,
    send: async (request) => {
      const signal = AbortSignal.any([
        AbortSignal.timeout(request.timeoutMs),
        ...(request.signal === undefined ? [] : [request.signal]),
      ]);
      try {
        // A name server that does not answer must not hold a try for longer than a receiver may.
        const target = await within(signal, check(request.url));
        return await send(target, request, signal);
      } catch (error) {
        return { how: 'failed', reason: reasonOf(error, signal) };
      }
    },
  };
}

function send({ url, addresses }: CheckedTarget, request: WebhookRequest, signal: AbortSignal): Promise<WebhookAnswer> {
  return new Promise((resolve, reject) => {
    // The connection is made to what was checked: the name is not resolved a second time, to something else.
    const lookup: LookupFunction = (_host, { all }, found) => {
      const [first] = addresses;
      if (all === true) found(null, [...addresses]);
      else found(null, first?.address ?? '', first?.family);
    };
    const options = {
      method: 'POST',
      headers: { ...request.headers, 'content-length': String(Buffer.byteLength(request.body)) },
      agent: false,
      lookup,
      signal,
    } as const;
    const sent: ClientRequest = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
    sent.once('error', reject);
    sent.once('response', (response) => {
      const { statusCode = 0, headers } = response;
      // Known from here on, whatever becomes of the rest.
      resolve({ how: 'answered', status: statusCode, retryAfterMs: retryAfterMs(headers['retry-after'], Date.now()) });
      drain(response, sent);
    });
    sent.end(request.body);
  });
}

function drain(response: IncomingMessage, sent: ClientRequest): void {
  const patience = setTimeout(() => sent.destroy(), drainMs);
  sent.once('close', () => clearTimeout(patience));
  let read = 0;
  response.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > mostRead) sent.destroy();
  });
  // The time limit may end it here as well: the answer is out already.
  response.once('error', () => {});
  sent.on('error', () => {});
}

async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    work.catch(() => {});
  }
}

/** A word for people that holds nothing of the receiver's own. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (error instanceof WaybillError) return `${error.code}: ${error.message}`;
  if (signal.aborted) return isTimeout(signal.reason) ? 'timeout' : 'stopped';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : 'the connection failed';
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}
