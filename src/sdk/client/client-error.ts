import { problemMediaType, problemSchema } from '../../contract/api/problem.ts';
import { type ErrorCode, errorCodes, WaybillError } from '../../contract/errors.ts';
import { fits } from './fits.ts';

/** What a proxy answers while the daemon behind it is away. */
const awayStatuses: readonly unknown[] = [502, 503, 504];
/** Answers of a daemon that is about to be another one, or whose store is away for a moment. */
const passing: readonly ErrorCode[] = [
  'daemon_unreachable',
  'draining',
  'store_unavailable',
  'store_busy',
  'store_closed',
  'request_timeout',
];

/** The answer of a route as the error it says: its code, message and hint; the rest is in `details`. */
export async function errorOfAnswer(response: Response): Promise<WaybillError> {
  const { status } = response;
  const text = await response.text();
  if (mediaType(response) === problemMediaType) {
    const problem = jsonOf(text);
    if (fits(problemSchema, problem)) {
      const { code, detail, hint, issues, details: facts, errorId, correlationId } = problem;
      const known = Object.hasOwn(errorCodes, code);
      const details = {
        ...facts,
        status,
        issues: issues.map(({ path, message }) => ({ path, message })),
        errorId,
        correlationId,
      };
      return new WaybillError(known ? code : 'response_invalid', known ? detail : `${detail} (${code})`, {
        ...(hint !== null && { hint }),
        // A newer daemon has codes this client does not know.
        details: known ? details : { ...details, code },
      });
    }
  }
  return notOurs(response, `it answered ${status} without a problem of ours`);
}

/** An answer no Waybill daemon gives. */
export function notOurs(response: Response, why: string): WaybillError {
  const { status } = response;
  return new WaybillError('response_invalid', `this is not the answer of a Waybill daemon: ${why}`, {
    hint: 'Check the address, and what stands between you and the daemon.',
    details: { status, mediaType: mediaType(response) },
  });
}

/** The connection could not be made, or was lost before the answer was complete. */
export function unreachable(where: string, cause: unknown): WaybillError {
  const code = systemCodeOf(cause);
  return new WaybillError('daemon_unreachable', `cannot reach the daemon at ${where}: ${reasonOf(cause, code)}`, {
    hint: 'Start it in the workspace with `waybill serve`, and check the address.',
    details: { systemCode: code },
    cause,
  });
}

/** Whether the same request may be answered otherwise in a moment. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof WaybillError)) return false;
  if (passing.includes(error.code)) return true;
  return error.code === 'response_invalid' && awayStatuses.includes(error.details?.status);
}

/** Whether the daemon failed, not the request. */
export function isServerError(error: unknown): boolean {
  const status = error instanceof WaybillError ? error.details?.status : undefined;
  return typeof status === 'number' && status >= 500;
}

export function mediaType(response: Response): string {
  return (response.headers.get('content-type') ?? '').replace(/;.*$/s, '').trim().toLowerCase();
}

/** Undefined when it is not JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function systemCodeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause === undefined ? null : systemCodeOf(error.cause);
}

function reasonOf(error: unknown, code: string | null): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'nobody listens there';
    case 'ENOENT':
      return 'there is no such socket';
    case 'EACCES':
      return 'this user may not use the socket';
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return 'the connection was lost';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
