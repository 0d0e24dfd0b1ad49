import type { AnyContractProcedure } from '@orpc/contract';
import { traverseContractProcedures } from '@orpc/server';
import { contract } from '../../contract/api/contract.ts';
import { type PlainRoute, plainRoutes } from '../../contract/api/plain-routes.ts';
import { routeRoles } from '../../contract/api/role.ts';
import { WaybillError } from '../../contract/errors.ts';

/** A route as the contract or the table of plain routes declares it. */
export interface DeclaredRoute {
  readonly operationId: string;
  readonly method: PlainRoute['method'];
  /** Parameters in braces: `/v1/runs/{runId}`. */
  readonly path: string;
  readonly role: PlainRoute['role'];
}

const methods: readonly PlainRoute['method'][] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Every route there is; what is not in here is not served. */
export function declaredRoutes(): readonly DeclaredRoute[] {
  const found: DeclaredRoute[] = [];
  traverseContractProcedures({ router: contract, path: [] }, ({ contract: procedure }) => {
    found.push(declarationOf(procedure));
  });
  return [...found, ...Object.values<PlainRoute>(plainRoutes)];
}

/** @throws WaybillError `internal` for a procedure without method, path or role: nothing is served by chance */
export function declarationOf(procedure: AnyContractProcedure): DeclaredRoute {
  const { route, meta } = procedure['~orpc'];
  const method = methods.find((each) => each === route.method);
  const role = routeRoles.find((each) => each === meta.role);
  if (method !== undefined && role !== undefined && route.path !== undefined && route.operationId !== undefined) {
    return { operationId: route.operationId, method, path: route.path, role };
  }
  throw new WaybillError('internal', `the route ${route.operationId ?? '?'} does not say its method, path and role`);
}

/** The same path as Fastify writes it: `/v1/runs/:runId`; a parameter that takes the rest of the path is `*`. */
export function fastifyPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1').replace(/\{\+\w+\}$/, '*');
}

/** Methods that some route has for a path that was asked for; empty when there is no such path. */
export function allowedMethods(declared: readonly DeclaredRoute[], asked: string): readonly string[] {
  const path = asked.split('?', 1)[0] ?? '';
  const here = declared.filter((route) => matches(route.path, path)).map((route) => route.method);
  return [...new Set(here)].sort();
}

function matches(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  const takesRest = wanted.at(-1)?.startsWith('{+') === true;
  if (wanted.length !== given.length && !(takesRest && wanted.length < given.length)) return false;
  return wanted.every((part, index) => {
    if (part.startsWith('{+')) return given.slice(index).join('/') !== '';
    return part.startsWith('{') ? given[index] !== '' : part === given[index];
  });
}
