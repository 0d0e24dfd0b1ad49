import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Issue } from '../../contract/api/problem.ts';
import { invalidRequest } from './describe-error.ts';

const paramsOf = z.record(z.string(), z.unknown());

/**
 * Refuses a path or a query that holds NUL. PostgreSQL has no text with it and answers a question about one with an error,
 * SQLite with "there is none": so nothing is asked of either.
 * @throws WaybillError `invalid_input` with each parameter that has one
 */
export function assertNulFree({ params, url }: Pick<FastifyRequest, 'params' | 'url'>): void {
  if (!url.includes('%00')) return;
  const named = Object.entries(paramsOf.safeParse(params).data ?? {});
  const asked = [...new URLSearchParams(url.split('?', 2)[1] ?? '')];
  const issues: Issue[] = [
    // Fastify calls what takes the rest of a path `*`, and each such path is that of a file.
    ...named.flatMap(([name, value]) => nulIn(`params.${name === '*' ? 'path' : name}`, value)),
    ...asked.flatMap(([name, value]) => nulIn(`query.${name.replaceAll('\0', '')}`, `${name}${value}`)),
  ];
  if (issues.length > 0) throw invalidRequest(issues);
}

function nulIn(path: string, value: unknown): readonly Issue[] {
  return typeof value === 'string' && value.includes('\0') ? [{ path, message: 'must not hold a NUL character' }] : [];
}
