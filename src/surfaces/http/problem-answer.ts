import { httpStatus, type Problem, problemType } from '../../contract/api/problem.ts';
import { uploadOffsetHeader } from '../../contract/api/uploads.ts';
import { type ErrorCode, errorCodes, type WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { issuesIn } from './describe-error.ts';

/** Where and under which ids a problem happened. */
export interface ProblemPlace {
  /** The path that was asked for, without its query. */
  readonly instance: string;
  readonly errorId: string | null;
  readonly correlationId: string | null;
}

const titles: Partial<Readonly<Record<number, string>>> = {
  400: 'The request is not valid',
  401: 'A valid token is needed',
  403: 'This is not allowed',
  404: 'There is no such thing',
  405: 'This method is not allowed here',
  406: 'There is no such form of the answer',
  408: 'The request took too long',
  409: 'The state does not allow this',
  410: 'It is gone',
  412: 'It is not what the request expected',
  413: 'The body is too large',
  415: 'This media type is not taken',
  416: 'There are no such bytes',
  421: 'The request was sent to the wrong host',
  422: 'The work failed',
  429: 'Too much at once',
  500: 'The daemon failed',
  503: 'The daemon cannot do this now',
  504: 'Nobody answered in time',
};

/** Failures of the system whose own words are meant for the caller; the rest may name files, hosts or queries. */
const spoken: ReadonlySet<ErrorCode> = new Set(['queue_full', 'draining', 'request_timeout', 'holder_silent']);

/** What a caller is told of an error: RFC 9457, `application/problem+json`. Of an envelope it has only the id. */
export function problemOf(error: WaybillError, { instance, errorId, correlationId }: ProblemPlace): Problem {
  const status = httpStatus(error.code);
  const open = status < 500 || spoken.has(error.code);
  return {
    type: problemType(error.code),
    title: error.code === 'manifest_invalid' ? 'The manifest is not valid' : (titles[status] ?? 'The request failed'),
    status,
    detail: open ? error.message : `the daemon could not do this (${error.code})`,
    instance,
    code: error.code,
    hint: open ? (error.hint ?? null) : closedHint(errorId),
    issues: open ? issuesIn(error) : [],
    details: open ? factsOf(error) : null,
    errorId,
    correlationId,
  };
}

/** What an error says for programs; its list of problems is in `issues`. Failures of the system say nothing here. */
function factsOf({ code, details }: WaybillError): JsonObject | null {
  if (details === undefined || errorCodes[code] === 3) return null;
  const { problems: _, ...facts } = details;
  return Object.keys(facts).length === 0 ? null : facts;
}

function closedHint(errorId: string | null): string {
  return errorId === null ? 'Look at the log of the daemon.' : `What is known of it is kept under ${errorId}.`;
}

/** Headers that belong to a problem beside its body. */
export function problemHeaders(error: WaybillError): Readonly<Record<string, string>> {
  switch (error.code) {
    case 'unauthorized':
      return { 'www-authenticate': 'Bearer realm="waybill"' };
    case 'queue_full':
    case 'draining':
    case 'store_busy':
    case 'store_unavailable':
      return { 'retry-after': '1' };
    case 'method_not_allowed': {
      const { allow } = error.details ?? {};
      return typeof allow === 'string' ? { allow } : {};
    }
    case 'upload_offset_mismatch': {
      const { offset } = error.details ?? {};
      return typeof offset === 'number' ? { [uploadOffsetHeader]: `${offset}` } : {};
    }
    case 'range_not_satisfiable': {
      const { size } = error.details ?? {};
      return typeof size === 'number' ? { 'content-range': `bytes */${size}` } : {};
    }
    default:
      return {};
  }
}

/** What was asked for, without its query. */
export function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '/';
}
