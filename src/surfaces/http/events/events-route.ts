import type { FastifyInstance } from 'fastify';
import { plainRoutes } from '../../../contract/api/plain-routes.ts';
import { EventFeed } from '../../../domain/runs/ledger/event-feed.ts';
import type { Boundary } from '../../../platform/envelopes/capture.ts';
import { describeError } from '../describe-error.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpParts } from '../http-parts.ts';
import { problemOf } from '../problem-answer.ts';
import { fastifyPath } from '../route-table.ts';
import { eventForms } from './event-forms.ts';
import { EventStream } from './event-stream.ts';
import { readEventsRequest } from './events-request.ts';
import { Heartbeats } from './heartbeats.ts';
import { TokenWatch } from './token-watch.ts';

/** What the events route needs of its server. */
export interface EventsContext extends Pick<HttpContext, 'drain' | 'measurements'> {
  readonly parts: {
    readonly engine: Pick<HttpParts['engine'], 'store'>;
    readonly tokens: Pick<HttpParts['tokens'], 'authenticate'>;
    readonly configuration: { readonly daemon: Pick<HttpParts['configuration']['daemon'], 'heartbeatMs'> };
    readonly errors: { capture(error: unknown, boundary: Boundary): Promise<{ readonly errorId: string }> };
  };
}

/** Serves `GET /v1/runs/{runId}/events`. @returns how many followers this server has now, and of how many runs */
export function registerEventsRoute(
  app: FastifyInstance,
  context: EventsContext,
): { readonly counts: EventFeed['counts'] } {
  const { parts, drain, measurements } = context;
  const feed = new EventFeed(parts.engine.store);
  const heartbeats = new Heartbeats(parts.configuration.daemon.heartbeatMs);
  const tokens = new TokenWatch(parts.tokens, heartbeats);
  const { method, path, role } = plainRoutes.events;

  const describe = async (error: unknown) => {
    const known = describeError(error);
    const { errorId } = await parts.errors.capture(error, { layer: 'L2', component: 'api' });
    const { code, detail } = problemOf(known, { instance: path, errorId, correlationId: null });
    return { code, message: `${detail}; what is known of it is kept under ${errorId}` };
  };

  if (drain.aborted) feed.drain();
  else drain.addEventListener('abort', () => feed.drain(), { once: true });

  app.route({
    method,
    url: fastifyPath(path),
    config: { role },
    // A follow has no length and no end to tell in advance.
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const { runId, since, returning, follow, timeoutMs, form } = readEventsRequest(request);
      const follower = await feed.follow(runId, {
        since,
        ...(follow ? {} : { until: 'now' }),
        ...(follow && timeoutMs !== undefined ? { timeoutMs } : {}),
      });
      void reply.headers({ 'cache-control': 'no-store', vary: 'accept' });
      if (returning && form === eventForms['text/event-stream'] && follower.complete) {
        follower[Symbol.dispose]();
        return reply.code(204).send();
      }
      void reply.headers({
        'content-type': form.mediaType,
        // For proxies that would collect a few kilobytes before they pass anything on.
        'x-accel-buffering': 'no',
        // A follow ends with its server, or long after the client last used the connection.
        ...(follow ? { connection: 'close' } : {}),
      });
      reply.hijack();
      const response = reply.raw;
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) response.setHeader(name, value);
      }
      response.statusCode = 200;
      const stream = new EventStream({ runId, response, follower, form, describe });
      const ended = measurements.openStream();
      const { authorization } = request.headers;
      if (follow) heartbeats.add(stream);
      if (authorization !== undefined) tokens.add(authorization, stream);
      void stream.run().then(() => {
        heartbeats.delete(stream);
        if (authorization !== undefined) tokens.delete(authorization, stream);
        ended();
      });
    },
  });
  return feed;
}
