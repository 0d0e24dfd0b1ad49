import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { TestServer, TestToken } from './open-test-server.ts';

export interface Exchange {
  readonly as?: TestToken | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes are sent with their length, a stream in chunks. */
  readonly body?: Uint8Array | Readable;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** What the body says; undefined when it is no JSON. */
  readonly json: unknown;
  /** Whether the server asked for the body before it came: `100 Continue`. */
  readonly asked: boolean;
}

/** One request with bytes both ways, on a connection of its own. Rejects when the connection ends without an answer. */
export async function exchange(
  server: TestServer,
  method: string,
  path: string,
  { as = 'admin', headers = {}, body }: Exchange = {},
): Promise<ExchangeAnswer> {
  const token = as === null ? null : await server.token(as);
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeAnswer>();
  let asked = false;
  const sent = httpRequest(
    {
      port: new URL(server.server.url ?? '').port,
      method,
      path,
      agent: false,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body instanceof Uint8Array ? { 'content-length': body.length } : {}),
        ...headers,
      },
    },
    (answer) => {
      buffer(answer).then((bytes) => {
        const { statusCode: status = 0, headers: given } = answer;
        resolve({ status, headers: given, body: bytes, json: jsonOf(bytes), asked });
      }, reject);
    },
  );
  sent.once('error', reject);
  const send = () => {
    if (body === undefined || body instanceof Uint8Array) sent.end(body);
    else body.on('error', (error) => sent.destroy(error)).pipe(sent);
  };
  if (headers.expect === undefined) send();
  else {
    sent.flushHeaders();
    sent.once('continue', () => {
      asked = true;
      send();
    });
  }
  return promise;
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
