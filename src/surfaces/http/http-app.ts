import { type FastifyInstance, fastify, LogController } from 'fastify';
import type { PlainRoute } from '../../contract/api/plain-routes.ts';
import { WaybillError } from '../../contract/errors.ts';
import { type LogLevel, logAndCount } from './access-log.ts';
import { answerErrors } from './answer-errors.ts';
import { assertMayUse, authenticate, repoNamed } from './authentication.ts';
import { registerByteRoutes } from './bytes/byte-routes.ts';
import { registerContractRoutes } from './contract-routes.ts';
import { describeError } from './describe-error.ts';
import { registerEventsRoute } from './events/events-route.ts';
import type { HttpContext } from './http-context.ts';
import { takeJsonBodies } from './json-body.ts';
import { registerManifestRoutes } from './manifest-routes.ts';
import { assertNulFree } from './nul-free-address.ts';
import { assertOwnAddress } from './own-address.ts';
import { registerPlainRoutes } from './plain-routes.ts';
import type { Refusals } from './refusals.ts';
import { openRequestScopes } from './request-scope.ts';
import { declaredRoutes } from './route-table.ts';
import { createRouter } from './router.ts';
import { writeProblem } from './write-problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller must be allowed; a route without it is refused to everybody. */
    role?: PlainRoute['role'];
  }
}

/** A part of a path longer than any name or id. */
const longestParameter = 1024;

function notUsed(): never {
  throw new WaybillError('internal', 'a route has a schema of Fastify, which nothing here checks');
}

/** All routes and what every request passes before it reaches one; who listens is the server's. */
export async function createHttpApp(
  context: HttpContext,
  options: { readonly refusals: Refusals; readonly level: LogLevel },
): Promise<FastifyInstance> {
  const { parts, drain, measurements } = context;
  const app = fastify({
    bodyLimit: parts.configuration.daemon.bodyBytes,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: longestParameter },
    // The contract checks what comes in and goes out, no route has a schema of Fastify's own: without these two, Ajv and
    // a serializer are loaded at each start, which takes a tenth of it.
    schemaController: { compilersFactory: { buildValidator: notUsed, buildSerializer: notUsed } },
    logger: { level: options.level, stream: process.stderr, base: { component: 'api' } },
    logController: new LogController({ disableRequestLogging: true }),
    // A path that cannot be decoded has no route, and so none of the hooks below.
    frameworkErrors: (thrown, { raw }, reply) => writeProblem(reply.raw, describeError(thrown), raw.url ?? '/'),
  });
  openRequestScopes(app, parts.spans);
  logAndCount(app, measurements);
  answerErrors(app, options.refusals, declaredRoutes());
  takeJsonBodies(app);
  app.addHook('onRequest', async (request, reply) => {
    // What runs print is data, whatever it looks like, and nobody's to keep.
    void reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    const { host, origin } = request.headers;
    assertOwnAddress({ host, origin, port: request.socket.localPort });
    if (drain.aborted) {
      void reply.header('connection', 'close');
      throw new WaybillError('draining', 'this daemon is ending and takes no new request', {
        hint: 'Ask again in a moment: another one may have taken its place.',
      });
    }
    if (request.is404) return;
    const { role } = request.routeOptions.config;
    if (role === 'open') return;
    if (role === undefined) throw new WaybillError('internal', 'a route does not say who may use it');
    request.caller = await authenticate(parts.tokens, request.headers);
    assertMayUse(request.caller, { role, method: request.method, repo: repoNamed(role, request.params) });
    assertNulFree(request);
  });
  app.addHook('preParsing', async (request, reply) => {
    // Who asks first whether to send gets a refusal, or this.
    if (/^100-continue$/i.test(request.headers.expect ?? '')) reply.raw.writeContinue();
  });
  await registerContractRoutes(app, createRouter(context));
  registerPlainRoutes(app, context);
  registerEventsRoute(app, context);
  registerByteRoutes(app, context);
  registerManifestRoutes(app, context);
  await app.ready();
  return app;
}
