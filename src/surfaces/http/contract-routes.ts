import { StandardBracketNotationSerializer } from '@orpc/openapi-client/standard';
import {
  type AnyProcedure,
  createProcedureClient,
  getRouter,
  isProcedure,
  traverseContractProcedures,
  unlazy,
} from '@orpc/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { contract } from '../../contract/api/contract.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { RequestContext } from './request-context.ts';
import { declarationOf, fastifyPath } from './route-table.ts';
import type { Router } from './router.ts';

/** Only the frame: what is in the body was checked against the contract already. */
const detailedOutput = z.object({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.unknown() });
const queries = new StandardBracketNotationSerializer();

/**
 * Serves every procedure of the contract as a route of its own. oRPC checks input and output against the contract;
 * method, path, body and errors stay with Fastify, so each limit and each problem is in one place for all routes.
 */
export async function registerContractRoutes(app: FastifyInstance, router: Router): Promise<void> {
  const paths: (readonly string[])[] = [];
  traverseContractProcedures({ router: contract, path: [] }, ({ path }) => {
    paths.push(path);
  });
  for (const path of paths) {
    const { default: procedure } = await unlazy(getRouter(router, path));
    if (!isProcedure(procedure)) throw new WaybillError('internal', `no handler answers ${path.join('.')}`);
    const { method, path: url, role } = declarationOf(procedure);
    app.route({ method, url: fastifyPath(url), config: { role }, handler: answerOf(procedure) });
  }
}

function answerOf(procedure: AnyProcedure): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  const { inputStructure, outputStructure, successStatus = 200 } = procedure['~orpc'].route;
  const call = createProcedureClient(procedure, {
    context: ({ request }: { readonly request: RequestContext }) => request,
  });
  return async (request, reply) => {
    const input = inputStructure === 'detailed' ? partsOf(request) : undefined;
    const output: unknown = await call(input, { context: { request: contextOf(request, reply) } });
    if (outputStructure !== 'detailed') return reply.code(successStatus).send(output);
    const { status, headers, body } = detailedOutput.parse(output);
    return reply.code(status).headers(headers).send(body);
  };
}

function partsOf(request: FastifyRequest) {
  const search = request.raw.url?.split('?', 2)[1];
  return {
    params: request.params,
    query: search === undefined ? {} : queries.deserialize([...new URLSearchParams(search)]),
    headers: request.headers,
    body: request.body ?? undefined,
  };
}

function contextOf(request: FastifyRequest, reply: FastifyReply): RequestContext {
  const { caller } = request;
  if (caller === null) throw new WaybillError('unauthorized', 'a token is needed');
  return {
    caller,
    gone: () => {
      const controller = new AbortController();
      if (reply.raw.closed) controller.abort('closed');
      else reply.raw.once('close', () => controller.abort('closed'));
      return controller.signal;
    },
  };
}
