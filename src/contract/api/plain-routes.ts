import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import { jsonValueSchema } from '../json-value.ts';
import { byteRoutes } from './byte-routes.ts';
import { eventsQuerySchema, ndjsonMediaType, sseMediaType, streamLineSchema } from './events.ts';
import { manifestRoutes } from './manifests.ts';
import type { RouteRole } from './role.ts';
import { runParams } from './runs.ts';
import { healthSchema, readinessSchema } from './system.ts';

/** A route that the typed contract cannot express: a stream, a text, or an answer that needs no token. */
export interface PlainRoute {
  readonly operationId: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Parameters in braces, as in OpenAPI; `{+name}` at the end takes the rest of the path, slashes too (RFC 6570). */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** `open`: no token is asked for. */
  readonly role: RouteRole | 'open';
  /** The codes its own work can answer, as in the contract. */
  readonly problems: readonly ErrorCode[];
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Request headers with a meaning here, and what it is. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The media type of its body, when it takes bytes. */
  readonly takes?: string;
  readonly answers: readonly {
    readonly status: number;
    readonly description: string;
    /** Several when the `Accept` header chooses; none for an empty answer. */
    readonly mediaTypes: readonly string[];
    /** The shape of the body, or of each line of a stream; null when it is text for people or other programs. */
    readonly schema: z.ZodType | null;
    readonly headers?: z.ZodObject;
  }[];
}

/** The server, the OpenAPI document, the test of routes and roles, and the drift check all read this table. */
export const plainRoutes = {
  events: {
    operationId: 'followEvents',
    method: 'GET',
    path: '/v1/runs/{runId}/events',
    tag: 'Runs',
    summary: "Read or follow a run's ledger",
    role: 'runner',
    problems: ['run_not_found', 'run_removed', 'not_acceptable'],
    params: runParams,
    query: eventsQuerySchema,
    headers: { 'last-event-id': 'The last `seq` already known; wins over `since`.' },
    answers: [
      {
        status: 200,
        description: 'One event a line, or one server-sent event each with its `seq` as `id`.',
        mediaTypes: [ndjsonMediaType, sseMediaType],
        schema: streamLineSchema,
      },
      {
        status: 204,
        description:
          'Server-sent events only: the run is finished and `Last-Event-ID` is its last event, so a browser need not connect again.',
        mediaTypes: [],
        schema: null,
      },
    ],
  },
  ...byteRoutes,
  health: {
    operationId: 'getHealth',
    method: 'GET',
    path: '/healthz',
    tag: 'System',
    summary: 'Whether the process answers',
    role: 'open',
    problems: [],
    answers: [
      { status: 200, description: 'The process answers.', mediaTypes: ['application/json'], schema: healthSchema },
    ],
  },
  readiness: {
    operationId: 'getReadiness',
    method: 'GET',
    path: '/readyz',
    tag: 'System',
    summary: 'Whether it can take work, and what it depends on',
    role: 'open',
    problems: [],
    answers: [
      { status: 200, description: 'Ready.', mediaTypes: ['application/json'], schema: readinessSchema },
      {
        status: 503,
        description: 'Not ready; `dependencies` says why.',
        mediaTypes: ['application/json'],
        schema: readinessSchema,
      },
    ],
  },
  metrics: {
    operationId: 'getMetrics',
    method: 'GET',
    path: '/metrics',
    tag: 'System',
    summary: 'Measurements in the Prometheus text format',
    role: 'operator',
    problems: [],
    answers: [{ status: 200, description: 'The measurements.', mediaTypes: ['text/plain'], schema: null }],
  },
  document: {
    operationId: 'getOpenApi',
    method: 'GET',
    path: '/openapi.json',
    tag: 'System',
    summary: 'The OpenAPI document of this daemon',
    role: 'open',
    problems: [],
    answers: [
      {
        status: 200,
        description: 'OpenAPI 3.1.',
        mediaTypes: ['application/json'],
        schema: z.record(z.string(), jsonValueSchema),
      },
    ],
  },
  documentation: {
    operationId: 'getDocumentation',
    method: 'GET',
    path: '/docs',
    tag: 'System',
    summary: 'A page to read the OpenAPI document and to try it',
    role: 'open',
    problems: [],
    answers: [{ status: 200, description: 'A page.', mediaTypes: ['text/html'], schema: null }],
  },
  ...manifestRoutes,
} as const satisfies Record<string, PlainRoute>;
