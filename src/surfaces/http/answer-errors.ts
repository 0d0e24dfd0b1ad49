import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { problemMediaType } from '../../contract/api/problem.ts';
import { WaybillError } from '../../contract/errors.ts';
import { describeError } from './describe-error.ts';
import { pathOf, problemHeaders, problemOf } from './problem-answer.ts';
import type { Refusals } from './refusals.ts';
import { routeName } from './request-scope.ts';
import { allowedMethods, type DeclaredRoute } from './route-table.ts';
import { lastAnswer, leavesBodyUnread } from './unread-body.ts';

/** Every error of every route, and of what is no route, ends here and is answered as a problem. */
export function answerErrors(app: FastifyInstance, refusals: Refusals, declared: readonly DeclaredRoute[]): void {
  const answer = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    // A body that cannot be read fails outside of the scope; its envelope belongs into the request's tree all the same.
    request.inScope(async () => {
      const error = describeError(thrown);
      const recorded = await refusals.record({
        error,
        actor: request.caller?.actor ?? null,
        route: routeName(request),
      });
      const problem = problemOf(error, {
        instance: pathOf(request.url),
        errorId: recorded,
        correlationId: request.correlationId,
      });
      const text = JSON.stringify(problem);
      void reply.code(problem.status).headers(problemHeaders(error)).type(problemMediaType);
      if (!leavesBodyUnread(request.raw)) return reply.send(text);
      void reply.headers({ connection: 'close', 'content-length': Buffer.byteLength(text) });
      return reply.send(lastAnswer(text, request.raw));
    });

  app.setErrorHandler((error, request, reply) => {
    if (isGone(request)) return reply.hijack();
    // Fastify looks at the body, and at what its method asks of one, before it comes to that nothing is here.
    const unserved = request.is404 && !(error instanceof WaybillError);
    return answer(unserved ? notServed(declared, request) : error, request, reply);
  });
  app.setNotFoundHandler((request, reply) => answer(notServed(declared, request), request, reply));
}

/** The client went away while it sent: nobody is left to answer, and nothing went wrong here. */
function isGone({ raw }: FastifyRequest): boolean {
  return !raw.complete && raw.destroyed;
}

function notServed(declared: readonly DeclaredRoute[], request: FastifyRequest): WaybillError {
  const methods = allowedMethods(declared, request.url);
  if (methods.length === 0) {
    return new WaybillError('route_not_found', 'there is nothing at this path', {
      hint: 'All paths are listed at /docs and /openapi.json.',
    });
  }
  const allow = methods.join(', ');
  return new WaybillError('method_not_allowed', `this path takes ${allow}, not ${request.method}`, {
    details: { allow },
  });
}
