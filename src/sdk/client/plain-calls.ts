import type { z } from 'zod';
import { type PlainRoute, plainRoutes } from '../../contract/api/plain-routes.ts';
import { jsonOf, mediaType, notOurs } from './client-error.ts';
import { fits } from './fits.ts';
import type { Send } from './send.ts';

type Parameters<R> = R extends { readonly params: infer P extends z.ZodType }
  ? { readonly params: z.input<P> }
  : object;
type Query<R> = R extends { readonly query: infer Q extends z.ZodType } ? { readonly query?: z.input<Q> } : object;
/** What a plain route is asked with, as the table of plain routes has it. */
export type PlainInput<R> = Parameters<R> & Query<R> & { readonly signal?: AbortSignal };

export interface PlainRequest {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

/** As much of a row of the table as a call needs. */
type Asked<A> = Pick<PlainRoute, 'method' | 'path'> & { readonly answers: readonly A[] };
type Read = (route: Asked<{ readonly status: number }>, request: PlainRequest) => Promise<Response>;

export type PlainCalls = ReturnType<typeof createPlainCalls>;

/** The calls of the routes that the typed contract cannot express; their paths and shapes are the table's. */
export function createPlainCalls(send: Send, url: string) {
  const read: Read = (route, request) =>
    send.whole(requestOf(url, route, request, null), ({ status }) =>
      route.answers.some((answer) => answer.status === status),
    );
  return {
    health: (request: PlainInput<typeof plainRoutes.health> = {}) => json(read, plainRoutes.health, request),
    /** Not being ready is an answer, not an error. */
    readiness: (request: PlainInput<typeof plainRoutes.readiness> = {}) => json(read, plainRoutes.readiness, request),
    document: (request: PlainInput<typeof plainRoutes.document> = {}) => json(read, plainRoutes.document, request),
    metrics: async (request: PlainInput<typeof plainRoutes.metrics> = {}): Promise<string> =>
      (await read(plainRoutes.metrics, request)).text(),
    /** The events as a stream of bytes of this media type. */
    events: async (
      request: PlainInput<typeof plainRoutes.events>,
      accept: (typeof plainRoutes.events.answers)[0]['mediaTypes'][number],
    ): Promise<ReadableStream<Uint8Array>> => {
      const response = await send.begun(requestOf(url, plainRoutes.events, request, accept));
      if (response.body !== null && mediaType(response) === accept) return response.body;
      await response.body?.cancel();
      throw notOurs(response, `it answered ${mediaType(response) || 'nothing'} where events were asked for`);
    },
  };
}

async function json<S extends z.ZodType>(
  read: Read,
  route: Asked<{ readonly status: number; readonly schema: S }>,
  request: PlainRequest,
): Promise<z.output<S>> {
  const response = await read(route, request);
  const value = jsonOf(await response.text());
  const answer = route.answers.find(({ status }) => status === response.status);
  if (answer !== undefined && fits(answer.schema, value)) return value;
  throw notOurs(response, `its answer to ${route.path} has another shape`);
}

/** The request of a plain route, as its row of the table has it. */
export function requestOf(
  url: string,
  route: Pick<PlainRoute, 'method' | 'path'>,
  request: PlainRequest,
  accept: string | null,
): Request {
  const { params = {}, query = {}, signal } = request;
  // A parameter that takes the rest of a path is written like all others: its slashes are no different to the daemon.
  const path = route.path.replaceAll(/\{\+?(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const address = new URL(url.replace(/\/$/, '') + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) address.searchParams.set(name, String(value));
  }
  return new Request(address, {
    method: route.method,
    ...(accept !== null && { headers: { accept } }),
    ...(signal !== undefined && { signal }),
  });
}
