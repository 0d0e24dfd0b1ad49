import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { shapeProblems } from '../../contract/shape-problems.ts';
import { invalidRequest } from './describe-error.ts';

/** What the contract's routes are given by oRPC, and plain routes read by themselves. */

/** The parameters of a path. @throws WaybillError `invalid_input` with each problem as `params.<name>` */
export function paramsOf<S extends z.ZodObject>(schema: S, { params }: Pick<FastifyRequest, 'params'>): z.output<S> {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  throw invalidRequest(
    shapeProblems(parsed.error.issues).map(({ path, message }) => ({ path: `params.${path}`, message })),
  );
}

/** Who asks. @throws WaybillError `unauthorized` */
export function actorOf({ caller }: FastifyRequest): string {
  if (caller === null) throw new WaybillError('unauthorized', 'a token is needed');
  return caller.actor;
}
