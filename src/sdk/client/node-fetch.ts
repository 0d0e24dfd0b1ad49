import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { bytesMediaType } from '../../contract/api/byte-routes.ts';
import type { Fetch } from './fetch.ts';

/**
 * A `fetch` over `node:http`: it can speak through a Unix socket, and, unlike the global one, it never gives up on an
 * answer that takes its time. What it rejects with is the error of the connection.
 * @param socketPath a Unix socket, or null for the host and port of each request
 */
export function nodeFetch(socketPath: string | null): Fetch {
  const agent = new Agent({ keepAlive: socketPath === null });
  return async (asked) => {
    const { method, signal } = asked;
    if (asked.headers.get('content-type') === bytesMediaType && asked.body !== null) {
      return await streamed(asked, asked.body, socketPath);
    }
    const body = asked.body === null ? null : Buffer.from(await asked.arrayBuffer());
    const headers = Object.fromEntries(asked.headers);
    const url = new URL(asked.url);
    const options = {
      method,
      signal,
      headers: body === null ? headers : { ...headers, 'content-length': body.length },
    };
    if (url.protocol === 'https:') {
      const { request } = await import('node:https');
      return await answerTo(request(url, options), body);
    }
    const send = (through: Agent | false) => {
      const where = { ...options, agent: through };
      return httpRequest(url, socketPath === null ? where : { ...where, socketPath });
    };
    const first = send(agent);
    try {
      return await answerTo(first, body);
    } catch (error) {
      // The daemon closed the kept connection at the very moment it was used again: nobody has seen the request.
      if (!first.reusedSocket || method !== 'GET' || signal.aborted) throw error;
      return await answerTo(send(false), body);
    }
  };
}

/**
 * A body of bytes is sent as it comes, over a connection of its own: it could not be sent a second time over another one,
 * when a kept connection turns out to be closed.
 */
async function streamed(
  asked: Request,
  body: ReadableStream<Uint8Array>,
  socketPath: string | null,
): Promise<Response> {
  const { method, signal } = asked;
  const headers = Object.fromEntries(asked.headers);
  const url = new URL(asked.url);
  const options = { method, signal, headers, agent: false as const, ...(socketPath === null ? {} : { socketPath }) };
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const sending = request(url, options);
  const answer = answerOf(sending);
  // A refusal is heard while there is still much to send; what the body fails with ends it all.
  const sent = pipeline(body, sending).then(() => answer);
  return await Promise.race([answer, sent]);
}

function answerTo(request: ClientRequest, body: Buffer | null): Promise<Response> {
  const answer = answerOf(request);
  request.end(body ?? undefined);
  return answer;
}

function answerOf(request: ClientRequest): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  request.on('error', reject);
  request.once('response', (message) => {
    try {
      resolve(responseOf(message));
    } catch (error) {
      message.destroy();
      reject(error);
    }
  });
  return promise;
}

function responseOf(message: IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    for (const each of [value ?? []].flat()) headers.append(name, each);
  }
  const status = message.statusCode ?? 0;
  if (status === 204 || status === 304) {
    message.resume();
    return new Response(null, { status, headers });
  }
  return new Response(streamOf(message), { status, headers });
}

/** The bytes as they come; a slow reader stops the connection instead of filling memory. */
function streamOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      message.on('data', (chunk: Buffer) => {
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) message.pause();
      });
      message.once('end', () => controller.close());
      // Cut off before its end, or told to end: after a cancel nobody is there to hear it.
      message.once('error', (error) => controller.error(error));
    },
    pull() {
      message.resume();
    },
    cancel() {
      message.removeAllListeners('data').removeAllListeners('end');
      message.destroy();
    },
  });
}
