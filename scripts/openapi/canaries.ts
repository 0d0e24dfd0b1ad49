import { isJsonObject, type JsonObject, type JsonValue } from '../../src/contract/json.ts';
import { changed, isList, type Path } from './json.ts';

type Change = (document: JsonObject) => JsonObject;

/** What must be noticed: a change that breaks somebody, and what the problem has to say. */
export interface Canary {
  readonly name: string;
  readonly change: Change;
  readonly says: RegExp;
}

const at = (path: Path, change: (value: JsonValue | undefined) => JsonValue | undefined): Change => {
  return (document) => {
    const result = changed(document, path, change);
    if (result === undefined || !isJsonObject(result)) throw new Error('no document is left');
    return result;
  };
};
const without = (...path: Path) => at(path, (value) => (value === undefined ? missing(path) : undefined));
const set = (value: JsonValue, ...path: Path) => at(path, () => value);
const replace = (from: JsonValue, to: JsonValue, ...path: Path) => {
  return at(path, (value) => (JSON.stringify(value) === JSON.stringify(from) ? to : missing(path)));
};
const added = (value: JsonValue, ...path: Path) => {
  return at(path, (list) => (isList(list) ? [...list, value] : missing(path)));
};
const taken = (value: JsonValue, ...path: Path) => {
  return at(path, (list) => {
    return isList(list) && list.includes(value) ? list.filter((each) => each !== value) : missing(path);
  });
};
const inTurn = (...changes: readonly Change[]): Change => {
  return (document) => changes.reduce((each, change) => change(each), document);
};

function missing(path: Path): never {
  throw new Error(`what a canary changes is not at ${path.join(' ')}: give it another place`);
}

const submit = ['paths', '/v1/runs', 'post'] as const;
const list = ['paths', '/v1/runs', 'get'] as const;
const events = ['paths', '/v1/runs/{runId}/events', 'get'] as const;
const shapes = ['components', 'schemas'] as const;
const taskOfSubmit = [...shapes, 'SubmitRun', 'properties', 'tasks'] as const;
const limitOfList = ['parameters', 3, 'schema'] as const;

/** Changes that break a client of the released document; the check has to find every one. */
export const canaries: readonly Canary[] = [
  { name: 'a path removed', change: without('paths', '/v1/tools'), says: /GET \/v1\/tools: is gone/ },
  { name: 'an operation removed', change: without(...list), says: /GET \/v1\/runs: is gone/ },
  {
    name: 'a path renamed',
    change: (document) => {
      const { '/v1/tools': tools = missing(['paths', '/v1/tools']), ...paths } = objectOf(document.paths);
      return { ...document, paths: { ...paths, '/v1/instruments': tools } };
    },
    says: /GET \/v1\/tools: is gone/,
  },
  {
    name: 'an operation id renamed',
    change: replace('submitRun', 'startRun', ...submit, 'operationId'),
    says: /operationId/,
  },
  { name: 'a role raised', change: replace('runner', 'admin', ...list, 'x-waybill-role'), says: /role was runner/ },
  { name: 'a role lowered', change: replace('runner', 'any', ...submit, 'x-waybill-role'), says: /role was runner/ },
  { name: 'an open route closed', change: without('paths', '/healthz', 'get', 'security'), says: /another way in/ },
  { name: 'a closed route opened', change: set([], ...list, 'security'), says: /another way in/ },
  {
    name: 'another kind of token',
    change: replace('bearer', 'basic', 'components', 'securitySchemes', 'token', 'scheme'),
    says: /way in "token"/,
  },
  { name: 'a status removed', change: without(...submit, 'responses', '200'), says: /200: is answered no more/ },
  {
    name: 'a status changed',
    change: inTurn(
      without(...submit, 'responses', '201'),
      set({ description: 'Later.' }, ...submit, 'responses', '202'),
    ),
    says: /202: is a new answer/,
  },
  {
    name: 'a code with another status',
    change: inTurn(
      taken('idempotency_key_reused', ...submit, 'responses', '409', 'x-waybill-codes'),
      added('idempotency_key_reused', ...submit, 'responses', '400', 'x-waybill-codes'),
    ),
    says: /idempotency_key_reused was 409 and is 400/,
  },
  {
    name: 'a media type removed',
    change: without(...events, 'responses', '200', 'content', 'text/event-stream'),
    says: /event-stream: is gone/,
  },
  {
    name: 'problems as plain JSON',
    change: at([...submit, 'responses', '400', 'content'], (content) => ({
      'application/json': objectOf(content)['application/problem+json'] ?? missing(submit),
    })),
    says: /problem\+json: is gone/,
  },
  {
    name: 'a header of an answer removed',
    change: without(...submit, 'responses', '200', 'headers', 'idempotency-replayed'),
    says: /header idempotency-replayed: is gone/,
  },
  {
    name: 'a header of an answer that may be absent',
    change: replace(true, false, ...submit, 'responses', '429', 'headers', 'retry-after', 'required'),
    says: /429 header retry-after: can be absent/,
  },
  { name: 'a parameter removed', change: without(...list, 'parameters', 3), says: /query limit: is gone/ },
  {
    name: 'a parameter renamed',
    change: replace('limit', 'pageSize', ...list, 'parameters', 3, 'name'),
    says: /query limit: is gone/,
  },
  {
    name: 'a parameter needed',
    change: replace(false, true, ...list, 'parameters', 3, 'required'),
    says: /query limit: is needed now/,
  },
  {
    name: 'a new needed parameter',
    change: added(
      { name: 'workspace', in: 'query', required: true, schema: { type: 'string' } },
      ...list,
      'parameters',
    ),
    says: /query workspace: is new and needed/,
  },
  {
    name: 'a default changed',
    change: replace(50, 100, ...list, ...limitOfList, 'default'),
    says: /default was 50 and is 100/,
  },
  {
    name: 'a number that may be less large',
    change: replace(1000, 500, ...list, ...limitOfList, 'maximum'),
    says: /maximum was 1000 and is 500/,
  },
  {
    name: 'a number that must be larger',
    change: replace(1, 10, ...list, ...limitOfList, 'minimum'),
    says: /minimum was 1 and is 10/,
  },
  {
    name: 'a list that may be less long',
    change: replace(1000, 10, ...taskOfSubmit, 'maxItems'),
    says: /maxItems was 1000 and is 10/,
  },
  {
    name: 'a body needed',
    change: replace(false, true, 'paths', '/v1/runs/{runId}/cancel', 'post', 'requestBody', 'required'),
    says: /cancel body: is needed now/,
  },
  { name: 'a body gone', change: without(...submit, 'requestBody'), says: /body application\/json: is gone/ },
  {
    name: 'a field of a request removed',
    change: without(...shapes, 'SubmitRun', 'properties', 'priority'),
    says: /\.priority: is gone/,
  },
  {
    name: 'a field of a request needed',
    change: set(['tool'], ...shapes, 'SubmitRun', 'required'),
    says: /\.tool: is needed now/,
  },
  {
    name: 'a new needed field of a request',
    change: inTurn(
      set({ type: 'string' }, ...shapes, 'SubmitRun', 'properties', 'queue'),
      set(['queue'], ...shapes, 'SubmitRun', 'required'),
    ),
    says: /\.queue: is new and needed/,
  },
  {
    name: 'a value of a request removed',
    change: taken('auditor', ...shapes, 'NewToken', 'properties', 'role', 'anyOf', 0, 'enum'),
    says: /\.role.*"auditor" is gone/,
  },
  {
    name: 'a format of a request',
    change: set('uuid', ...shapes, 'NewToken', 'properties', 'name', 'format'),
    says: /\.name: format was open and is uuid/,
  },
  {
    name: 'a pattern of a request',
    change: at([...shapes, 'NewToken', 'properties', 'name', 'pattern'], (value) =>
      typeof value === 'string' ? '^[a-z]+$' : missing(shapes),
    ),
    says: /\.name: pattern was/,
  },
  {
    name: 'null no longer taken',
    change: set({ type: 'string' }, ...shapes, 'CancelRun', 'properties', 'comment'),
    says: /\.comment: null is not taken/,
  },
  {
    name: 'a field of an answer removed',
    change: without(...shapes, 'RunSummary', 'properties', 'lastSeq'),
    says: /\.lastSeq: is gone/,
  },
  {
    name: 'a field of an answer renamed',
    change: at([...shapes, 'LedgerEvent', 'properties'], (properties) => {
      const { seq = missing(shapes), ...rest } = objectOf(properties);
      return { ...rest, number: seq };
    }),
    says: /\.seq: is gone/,
  },
  {
    name: 'a field of an answer that may be absent',
    change: taken('state', ...shapes, 'RunSummary', 'required'),
    says: /\.state: can be absent/,
  },
  {
    name: 'a field of another type',
    change: set({ type: 'string' }, ...shapes, 'RunSummary', 'properties', 'lastSeq'),
    says: /\.lastSeq: integer never comes/,
  },
  {
    name: 'an integer that may be a fraction',
    change: replace('integer', 'number', ...shapes, 'LedgerEvent', 'properties', 'seq', 'type'),
    says: /\.seq: integer never comes/,
  },
  {
    name: 'null in an answer',
    change: set({ type: ['boolean', 'null'] }, ...shapes, 'RunSummary', 'properties', 'interrupted'),
    says: /\.interrupted: null can come/,
  },
  {
    name: 'a new value of a list that does not grow',
    change: added('archived', ...shapes, 'RunSummary', 'properties', 'state', 'enum'),
    says: /\.state: "archived" can come/,
  },
  {
    name: 'a value renamed in a list that grows',
    change: inTurn(
      taken('queue_full', ...shapes, 'Problem', 'properties', 'code', 'enum'),
      added('queue_is_full', ...shapes, 'Problem', 'properties', 'code', 'enum'),
    ),
    says: /\.code: "queue_full" is gone/,
  },
  {
    name: 'a lower number in an answer',
    change: replace(1, 0, ...shapes, 'LedgerEvent', 'properties', 'seq', 'minimum'),
    says: /\.seq: minimum was 1 and is 0/,
  },
  {
    name: 'a format of an answer',
    change: replace('date-time', 'date', ...shapes, 'RunSummary', 'properties', 'createdAt', 'format'),
    says: /\.createdAt: format was date-time/,
  },
  {
    name: 'another name of a shape',
    change: replace('waybill.event.v1', 'waybill.event.v2', ...shapes, 'LedgerEvent', 'properties', 'schema', 'const'),
    says: /"waybill.event.v1" is gone/,
  },
  {
    name: 'a list of other things',
    change: set({ type: 'array', items: { type: 'integer' } }, ...shapes, 'RunSummary', 'properties', 'tasks'),
    says: /\.tasks\[\]: string never comes/,
  },
  {
    name: 'a kind of line of a stream removed',
    change: set(
      { $ref: '#/components/schemas/LedgerEvent' },
      ...events,
      'responses',
      '200',
      'content',
      'application/x-ndjson',
      'schema',
    ),
    says: /object never comes/,
  },
  {
    name: 'a keyword nobody compares',
    change: set({ tool: ['workflow'] }, ...shapes, 'SubmitRun', 'dependentRequired'),
    says: /"dependentRequired" changed/,
  },
];

/** Changes that break nobody, all at once; the check may say nothing about them. */
export const compatible: Change = inTurn(
  set(
    {
      get: {
        operationId: 'listGates',
        tags: ['Gates'],
        'x-waybill-role': 'runner',
        responses: { 200: { description: 'All.' } },
      },
    },
    'paths',
    '/v1/gates',
  ),
  set({ description: 'A problem.' }, ...list, 'responses', '451'),
  added({ name: 'actor', in: 'query', required: false, schema: { type: 'string' } }, ...list, 'parameters'),
  replace(1000, 2000, ...list, ...limitOfList, 'maximum'),
  set({ type: 'string', const: 'fast' }, ...shapes, 'SubmitRun', 'properties', 'lane'),
  added('owner', ...shapes, 'NewToken', 'properties', 'role', 'anyOf', 0, 'enum'),
  set({ type: 'string', const: 'waybill.summary.v1' }, ...shapes, 'RunSummary', 'properties', 'schema'),
  added('run.archived', ...shapes, 'LedgerEvent', 'properties', 'type', 'enum'),
  added('quota_used_up', ...shapes, 'Problem', 'properties', 'code', 'enum'),
  set({ type: 'string', format: 'date-time' }, ...shapes, 'RunSummary', 'properties', 'startedAt'),
  replace(1, 5, ...shapes, 'LedgerEvent', 'properties', 'seq', 'minimum'),
  replace('Runs', 'Work', ...list, 'tags', 0),
  set('Said better.', ...list, 'summary'),
);

function objectOf(value: JsonValue | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : missing(['an object']);
}
