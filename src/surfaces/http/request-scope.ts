import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../../domain/workspace/tokens/tokens.ts';
import { correlationScope, currentCorrelation, currentTraceparent } from '../../platform/correlation/correlation.ts';
import type { SpanSink } from '../../platform/correlation/span.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null until a token was shown, and on routes that need none. */
    caller: Caller | null;
    /** Runs a function in the correlation scope of this request. */
    inScope: <T>(fn: () => T) => T;
    correlationId: string | null;
  }
}

/**
 * Makes each request a tree of its own, or a branch of the one its `traceparent` names, and answers with the
 * `traceparent` of its root. What Fastify calls after it has read a body runs outside of where the request began, so
 * every later step enters the scope again.
 */
export function openRequestScopes(app: FastifyInstance, sink: SpanSink): void {
  app.decorateRequest('caller', null);
  app.decorateRequest('correlationId', null);
  app.decorateRequest('inScope', { getter: () => (fn) => fn() });
  app.addHook('onRequest', (request, reply, done) => {
    const inbound = request.headers.traceparent;
    const scope = {
      component: 'api',
      name: routeName(request),
      inbound: typeof inbound === 'string' ? inbound : null,
      apart: true,
      sink,
    };
    const span = correlationScope(scope, async () => {
      const inScope = AsyncLocalStorage.snapshot();
      Object.defineProperty(request, 'inScope', { value: inScope });
      request.correlationId = currentCorrelation()?.correlationId ?? null;
      void reply.header('traceparent', currentTraceparent() ?? '');
      const closed = new Promise<void>((resolve) => reply.raw.once('close', resolve));
      done();
      await closed;
      if (reply.statusCode >= 500) throw new Error(`answered ${reply.statusCode}`);
    });
    // The span says that it failed; why is in the envelope of what failed.
    span.catch(() => {});
  });
  app.addHook('preValidation', (request, _reply, done) => request.inScope(done));
}

/** A route as declared, never as asked for, so that there are as many names as routes. */
export function routeName(request: FastifyRequest): string {
  return `${request.method} ${declaredPath(request)}`;
}

/** `/v1/runs/{runId}`; `(none)` for what is no route of ours. */
export function declaredPath(request: FastifyRequest): string {
  const { url = '(none)' } = request.routeOptions;
  return request.is404 ? '(none)' : url.replace(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');
}
