import type { z } from 'zod';
import { bytesMediaType } from '../../src/contract/api/byte-routes.ts';
import { httpStatus, problemMediaType, problemSchema } from '../../src/contract/api/problem.ts';
import { problemsOfRoute } from '../../src/contract/api/route-problems.ts';
import type { ErrorCode } from '../../src/contract/errors.ts';
import { isJsonObject, type JsonObject } from '../../src/contract/json.ts';
import type { Components } from './components.ts';
import { listAt, objectAt, same } from './json.ts';
import type { Answer, Route } from './routes.ts';

/** A body, or an answer, of bytes that are nothing else to us. */
const bytes: JsonObject = { type: 'string', format: 'binary' };

/** The operation of one route: what it takes, who may, and every status it can answer. */
export function operationOf(route: Route, components: Components): JsonObject {
  const { operationId, tag, summary, role, params, query, headers, body, takes } = route;
  const parameters = [
    ...parametersOf('path', params, components),
    ...parametersOf('query', query, components),
    ...parametersOf('header', headers, components),
  ];
  return {
    operationId,
    tags: [tag],
    summary,
    'x-waybill-role': role,
    ...(role === 'open' ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: requestBodyOf(body, components) }),
    ...(takes === undefined ? {} : { requestBody: { required: true, content: { [takes]: { schema: bytes } } } }),
    responses: responsesOf(route, components),
  };
}

function parametersOf(
  place: 'path' | 'query' | 'header',
  group: z.ZodObject | undefined,
  components: Components,
): JsonObject[] {
  return Object.entries<z.ZodType>(group?.shape ?? {}).map(([name, schema]) => {
    const { description, ...rest } = components.schemaOf(schema, 'input');
    return {
      name,
      in: place,
      ...(description === undefined ? {} : { description }),
      required: !mayBeAbsent(schema),
      schema: place === 'query' ? repeatable(rest) : rest,
    };
  });
}

/** One or several of a kind are, in a query, the same parameter once or several times: in OpenAPI a list. */
function repeatable(schema: JsonObject): JsonObject {
  const [one, several, ...others] = listAt(schema, 'anyOf');
  if (several === undefined || others.length > 0 || !isJsonObject(several)) return schema;
  return several.type === 'array' && same(several.items, one) ? several : schema;
}

function requestBodyOf(body: z.ZodType, components: Components): JsonObject {
  return {
    required: !mayBeAbsent(body),
    content: { 'application/json': { schema: components.schemaOf(body, 'input') } },
  };
}

function mayBeAbsent(schema: z.ZodType): boolean {
  return schema.safeParse(undefined).success;
}

function responsesOf(route: Route, components: Components): JsonObject {
  const answers = new Map(route.answers.map((answer) => [answer.status, answerOf(answer, components)]));
  for (const [status, codes] of problemStatuses(route)) {
    const problem = problemAnswerOf(status, codes, components);
    const answer = answers.get(status);
    // One status can tell two things, as 503 of /readyz does: the media type tells which.
    const content = { ...objectAt(answer ?? {}, 'content'), ...objectAt(problem, 'content') };
    const description = [answer?.description, problem.description].filter((each) => each !== undefined).join(' ');
    answers.set(status, { ...problem, description, content });
  }
  return Object.fromEntries([...answers].sort(([a], [b]) => a - b).map(([status, answer]) => [String(status), answer]));
}

function answerOf({ description, mediaTypes, schema, headers }: Answer, components: Components): JsonObject {
  const isBytes = mediaTypes.some((type) => type === bytesMediaType || type === '*/*');
  const textOrBytes = isBytes ? bytes : { type: 'string' };
  const media = { schema: schema === null ? textOrBytes : components.schemaOf(schema, 'output') };
  return {
    description,
    ...(headers === undefined ? {} : { headers: headersOf(headers, components) }),
    ...(mediaTypes.length === 0 ? {} : { content: Object.fromEntries(mediaTypes.map((type) => [type, media])) }),
  };
}

function headersOf(headers: z.ZodObject, components: Components): JsonObject {
  const named = Object.entries<z.ZodType>(headers.shape).map(([name, schema]) => {
    const { description, ...rest } = components.schemaOf(schema, 'output');
    return [name, { ...(description === undefined ? {} : { description }), schema: rest }] as const;
  });
  return Object.fromEntries(named);
}

/** The codes a route can answer, by status, lowest first; within a status in the order of the contract. */
export function problemStatuses(route: Route): ReadonlyMap<number, readonly ErrorCode[]> {
  const { role, params, query, headers, body } = route;
  const takesInput = [params, query, headers, body].some((part) => part !== undefined);
  const codes = new Set([...route.problems, ...problemsOfRoute({ role, takesInput, takesBody: body !== undefined })]);
  const statuses = Map.groupBy(codes, httpStatus);
  return new Map([...statuses].sort(([a], [b]) => a - b));
}

function problemAnswerOf(status: number, codes: readonly ErrorCode[], components: Components): JsonObject {
  const headers = problemHeadersOf(status);
  return {
    description: `A problem: ${codes.map((code) => `\`${code}\``).join(', ')}.`,
    ...(headers === undefined ? {} : { headers }),
    content: { [problemMediaType]: { schema: components.schemaOf(problemSchema, 'output') } },
    'x-waybill-codes': codes,
  };
}

/** The headers a problem has beside its body; undefined for none. */
function problemHeadersOf(status: number): JsonObject | undefined {
  const retryAfter = { description: 'Seconds after which another try makes sense.', schema: { type: 'integer' } };
  switch (status) {
    case 416:
      return {
        'content-range': { description: 'How many bytes there are, as `bytes */1234`.', schema: { type: 'string' } },
      };
    case 401:
      return { 'www-authenticate': { required: true, schema: { type: 'string' } } };
    case 429:
      return { 'retry-after': { ...retryAfter, required: true } };
    case 503:
      return { 'retry-after': retryAfter };
    default:
      return undefined;
  }
}
