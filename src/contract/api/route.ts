import { oc } from '@orpc/contract';
import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { RouteRole } from './role.ts';

/** What every route of the contract says of itself beside its shapes. */
export interface RouteMeta {
  /** The least a token must be allowed. */
  readonly role: RouteRole;
  /** The codes its own work can answer; `problemsOfRoute` has those that come from what kind of route it is. */
  readonly problems: readonly ErrorCode[];
}

/** Same caller, same key, same request: the same answer, and nothing is done again. */
export const idempotencyKeyHeader = 'idempotency-key';
export const idempotencyReplayedHeader = 'idempotency-replayed';

// What may be left out is left out by callers of the client too: `prefault` makes it optional and changes no answer.
export const keyed = z
  .looseObject({
    [idempotencyKeyHeader]: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe('Makes repeating safe: the same key with the same request gets the first answer again.'),
  })
  .prefault({});

/** A route of the contract: who may use it, and the problems of its own work. */
export const route = (role: RouteRole, ...problems: ErrorCode[]) => oc.$meta<RouteMeta>({ role, problems });

/** Input and output in their parts: params, query, headers, body; status, headers, body. */
export const detailed = { inputStructure: 'detailed' } as const;
