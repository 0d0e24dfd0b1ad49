import type { IncomingHttpHeaders } from 'node:http';
import { eventsQuerySchema } from '../../../contract/api/events.ts';
import type { Issue } from '../../../contract/api/problem.ts';
import { runParams } from '../../../contract/api/runs.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { shapeProblems } from '../../../contract/shape-problems.ts';
import { invalidRequest } from '../describe-error.ts';
import { chooseForm } from './choose-form.ts';
import { type EventForm, eventForms } from './event-forms.ts';

/** What a request for events asks for. */
export interface EventsRequest {
  readonly runId: RunId;
  /** The last `seq` the client has: its `Last-Event-ID`, else `since`. */
  readonly since: number;
  /** Whether it said so itself by `Last-Event-ID`: it is coming back. */
  readonly returning: boolean;
  readonly follow: boolean;
  readonly timeoutMs: number | undefined;
  readonly form: EventForm;
}

interface RequestParts {
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: IncomingHttpHeaders;
}

/** @throws WaybillError `invalid_input` with each problem and its path, `not_acceptable` */
export function readEventsRequest({ params, query, headers }: RequestParts): EventsRequest {
  const path = runParams.safeParse(params);
  const asked = eventsQuerySchema.safeParse(query);
  const lastEventId = headers['last-event-id'];
  const issues: Issue[] = [
    ...(path.success ? [] : at('params', path.error.issues)),
    ...(asked.success ? unlikeNumbers(query) : at('query', asked.error.issues)),
  ];
  if (lastEventId !== undefined && !isCount(lastEventId)) {
    issues.push({ path: 'headers.last-event-id', message: 'must be the number of an event' });
  }
  if (issues.length > 0 || !path.success || !asked.success) throw invalidRequest(issues);
  const mediaType = chooseForm(headers.accept);
  if (mediaType === null) {
    throw new WaybillError('not_acceptable', 'events are given in none of the forms this request accepts', {
      hint: `Accept one of: ${Object.keys(eventForms).join(', ')}`,
    });
  }
  const { since, follow, timeoutMs } = asked.data;
  return {
    runId: parseId('run', path.data.runId),
    since: lastEventId === undefined ? since : Number(lastEventId),
    returning: lastEventId !== undefined,
    follow,
    timeoutMs,
    form: eventForms[mediaType],
  };
}

/** What JavaScript would take for a number and nobody else: the empty text, `0x10`, `1e3`. */
function unlikeNumbers(query: unknown): Issue[] {
  if (typeof query !== 'object' || query === null) return [];
  return Object.entries(query)
    .filter(([name, value]) => (name === 'since' || name === 'timeoutMs') && !isCount(value))
    .map(([name]) => ({ path: `query.${name}`, message: 'must be a whole number' }));
}

function isCount(value: unknown): boolean {
  return typeof value === 'string' && /^\d{1,16}$/.test(value) && Number.isSafeInteger(Number(value));
}

function at(part: string, issues: Parameters<typeof shapeProblems>[0]): Issue[] {
  return shapeProblems(issues).map(({ path, message }) => ({ path: path === '' ? part : `${part}.${path}`, message }));
}
