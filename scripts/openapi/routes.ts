import type { AnyContractProcedure } from '@orpc/contract';
import { traverseContractProcedures } from '@orpc/server';
import { z } from 'zod';
import { contract } from '../../src/contract/api/contract.ts';
import { type PlainRoute, plainRoutes } from '../../src/contract/api/plain-routes.ts';
import { type RouteRole, routeRoles } from '../../src/contract/api/role.ts';
import { type ErrorCode, errorCodes } from '../../src/contract/errors.ts';

/** One route of the HTTP surface, wherever it was declared. */
export interface Route {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly role: RouteRole | 'open';
  /** The codes of its own work. */
  readonly problems: readonly ErrorCode[];
  readonly params?: z.ZodObject | undefined;
  readonly query?: z.ZodObject | undefined;
  readonly headers?: z.ZodObject | undefined;
  readonly body?: z.ZodType | undefined;
  /** The media type of a body of bytes. */
  readonly takes?: string | undefined;
  readonly answers: readonly Answer[];
}

export interface Answer {
  readonly status: number;
  readonly description: string;
  readonly mediaTypes: readonly string[];
  /** Null for text that has no shape. */
  readonly schema: z.ZodType | null;
  readonly headers?: z.ZodObject | undefined;
}

/** Every route of the contract, then every plain one. */
export function allRoutes(): Route[] {
  const routes: Route[] = [];
  traverseContractProcedures({ router: contract, path: [] }, ({ contract, path }) => {
    routes.push(ofProcedure(contract, path.join('.')));
  });
  return [...routes, ...Object.values(plainRoutes).map(ofPlainRoute)];
}

const codeSchema = z.custom<ErrorCode>((code) => typeof code === 'string' && Object.hasOwn(errorCodes, code));
/** What the document needs of a procedure; one that says less is refused here. */
const procedureSchema = z.object({
  route: z.object({
    method: z.string(),
    path: z.string(),
    operationId: z.string(),
    tags: z.tuple([z.string()]),
    summary: z.string(),
    successStatus: z.int().default(200),
    outputStructure: z.enum(['compact', 'detailed']).default('compact'),
  }),
  meta: z.object({ role: z.enum(routeRoles), problems: z.array(codeSchema) }),
  inputSchema: z.instanceof(z.ZodObject).optional(),
  outputSchema: z.instanceof(z.ZodObject),
});

function ofProcedure(procedure: AnyContractProcedure, name: string): Route {
  const { success, data, error } = procedureSchema.safeParse(procedure['~orpc']);
  if (!success) throw new Error(`${name}: ${z.prettifyError(error)}`);
  const { route, meta, inputSchema, outputSchema } = data;
  const { tags, successStatus, outputStructure, ...rest } = route;
  const part = (key: string) => groupOf(inputSchema?.shape[key]);
  const answers =
    outputStructure === 'compact' ? [answerOf(successStatus, undefined, outputSchema)] : answersOf(outputSchema);
  return {
    ...rest,
    ...meta,
    tag: tags[0],
    params: part('params'),
    query: part('query'),
    headers: part('headers'),
    body: z.instanceof(z.ZodType).optional().parse(inputSchema?.shape.body),
    answers,
  };
}

/** A group of parameters, also one that may be left out as a whole. */
function groupOf(schema: unknown): z.ZodObject | undefined {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return groupOf(schema.unwrap());
  return z.instanceof(z.ZodObject).optional().parse(schema);
}

const detailedSchema = z.object({
  status: z.instanceof(z.ZodUnion),
  headers: z.instanceof(z.ZodObject),
  body: z.instanceof(z.ZodType),
});

/** The answers of an output that says its status itself: `{ status: 201 | 200, headers, body }`. */
function answersOf(output: z.ZodObject): Answer[] {
  const { status, headers, body } = detailedSchema.parse(output.shape);
  return status.options.map((option) => {
    const literal = z.instanceof(z.ZodLiteral).parse(option);
    return { ...answerOf(z.int().parse(literal.value), literal.description, body), headers };
  });
}

function answerOf(status: number, description: string | undefined, schema: z.ZodType): Answer {
  return {
    status,
    description: description ?? schema.description ?? (status === 201 ? 'Made.' : 'Done.'),
    mediaTypes: ['application/json'],
    schema,
  };
}

function ofPlainRoute({ headers = {}, ...route }: PlainRoute): Route {
  const shape = Object.entries(headers).map(([name, meaning]) => [name, z.string().optional().describe(meaning)]);
  // OpenAPI has no word for a parameter that takes the rest of a path; its description says so.
  const path = route.path.replace('{+', '{');
  return { ...route, path, headers: shape.length === 0 ? undefined : z.object(Object.fromEntries(shape)) };
}
