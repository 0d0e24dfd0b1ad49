import { ORPCError, ValidationError } from '@orpc/server';
import { z } from 'zod';
import type { Issue } from '../../contract/api/problem.ts';
import { type ErrorCode, WaybillError } from '../../contract/errors.ts';
import { shapeProblems } from '../../contract/shape-problems.ts';

/** Codes of Fastify's own errors that say what is wrong with a request; all others are ours to answer for. */
const requestCodes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'the body must be JSON: Content-Type application/json'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'the body is larger than this daemon takes'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'the body is empty'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'the body is not JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_argument', 'the body is not as long as Content-Length says'],
  FST_ERR_BAD_URL: ['invalid_argument', 'the path cannot be decoded'],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_argument', 'a part of the path is too long'],
};

/** Anything thrown while a request is answered, as the one kind of error that problems are made of. */
export function describeError(thrown: unknown): WaybillError {
  if (thrown instanceof WaybillError) return thrown;
  if (thrown instanceof ORPCError && thrown.code === 'BAD_REQUEST' && thrown.cause instanceof ValidationError) {
    return invalidRequest(issuesOf(thrown.cause), thrown);
  }
  const known = requestCodes[codeOf(thrown)];
  if (known !== undefined) return new WaybillError(known[0], known[1], { cause: thrown });
  return new WaybillError('internal', 'the daemon met an error it did not expect', { cause: thrown });
}

/** A request whose parts do not fit: each problem with its path, as `body.input.files[0].name` or `query.limit`. */
export function invalidRequest(issues: readonly Issue[], cause?: unknown): WaybillError {
  const list = issues.slice(0, mostIssues).map(({ path, message }) => ({ path, message }));
  const first = list[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const said = first === undefined ? 'its shape is wrong' : `${first.path} ${first.message}`.trim();
  return new WaybillError('invalid_input', `the request cannot be used: ${said}${more}`, {
    hint: 'Each entry of `issues` names a part of the request and what is wrong with it.',
    details: { problems: list },
    ...(cause === undefined ? {} : { cause }),
  });
}

const mostIssues = 100;
const listed = z.array(z.object({ path: z.string(), message: z.string() }));

/** A rule of the domain names every entry it refuses, and a version has at most so many. */
const mostListed = 10_000;

/** The problems an error lists in its details; none when it lists none. */
export function issuesIn(error: WaybillError): Issue[] {
  const parsed = listed.safeParse(error.details?.problems);
  return parsed.success ? parsed.data.slice(0, mostListed) : [];
}

function issuesOf({ issues }: ValidationError): Issue[] {
  return shapeProblems(
    issues.map((issue) => ({
      ...issue,
      path: (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part)),
    })),
  ).map(({ path, message }) => ({ path, message }));
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}
