import { z } from 'zod';
import { idShapes } from './ids.ts';
import type { JsonValue } from './json.ts';
import { jsonValueSchema } from './json-value.ts';

const toolId = z.string().regex(idShapes.name, 'must be a name: a letter, then letters, digits, ".", "_" or "-"');
const argument = z.string().refine((text) => !text.includes('\0'), 'must not contain a NUL character');
const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
/** A JSON Schema, draft 2020-12 or 07; compiled before the tool counts as described. */
const jsonSchema = z.union([z.boolean(), z.record(z.string(), jsonValueSchema)]);

/** What a tool may be given; the workspace grants them in `waybill.config.ts` (`tools.permissions`). */
export const toolPermissions = ['workspace.read', 'workspace.write', 'network'] as const;
export type ToolPermission = (typeof toolPermissions)[number];

/**
 * `waybill.tools/<id>/tool.json`. A `command` tool is a process: its input is one JSON document on standard input,
 * its output the one JSON document it writes to standard output. A `function` tool is a module whose default export
 * is called with the input in the process of the runner.
 */
export const toolDescriptionSchema = z
  .strictObject({
    schema: z.literal('waybill.tool.v1'),
    id: toolId,
    version: z.string().min(1).max(64),
    title: z.string().min(1).max(200),
    description: z.string().min(1),
    kind: z.enum(['command', 'function']),
    /** Program and arguments, without a shell; a relative program is looked for in the tool's folder first. */
    command: z.array(argument).min(1).optional(),
    /** Path of a module, relative to the tool's folder. */
    module: z.string().min(1).optional(),
    inputSchema: jsonSchema,
    outputSchema: jsonSchema,
    permissions: z.array(z.enum(toolPermissions)).default([]),
    /** `workspace`: changes files here, so the tree is recorded; `external`: changes something elsewhere. */
    sideEffects: z.enum(['none', 'workspace', 'external']),
    timeoutMs: milliseconds.default(600_000),
    /** Names of environment variables that may reach the tool, beyond the harmless ones (PATH, HOME, LANG ...). */
    allowEnv: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).default([]),
    /** Files it promises to write, relative to the workspace; each becomes an artifact. */
    artifacts: z.array(z.string().min(1)).default([]),
    /** How many runs of it may be at work at once on one store; no limit unless given. The configuration wins. */
    concurrency: z.int().min(1).max(1000).optional(),
    /** Further attempts after a retryable failure. */
    retries: z.int().min(0).max(100).default(0),
  })
  .superRefine((tool, problems) => {
    const complain = (key: string, message: string) => problems.addIssue({ code: 'custom', path: [key], message });
    if (tool.kind === 'command' && tool.command === undefined) complain('command', 'is needed by the kind "command"');
    if (tool.kind === 'function' && tool.module === undefined) complain('module', 'is needed by the kind "function"');
    if (tool.kind === 'command' && tool.module !== undefined)
      complain('module', 'has no meaning for the kind "command"');
    if (tool.kind === 'function' && tool.command !== undefined)
      complain('command', 'has no meaning for the kind "function"');
  });
export type ToolDescription = z.output<typeof toolDescriptionSchema>;
export type ToolDescriptionInput = z.input<typeof toolDescriptionSchema>;

export interface ToolCall {
  readonly runId: string;
  readonly idempotencyKey: string;
  readonly attempt: number;
  /** Aborted when the run is told to end or the time is over. */
  readonly signal: AbortSignal;
}

/** The default export of the module of a `function` tool; both schemas are checked around it. */
export type ToolFunction = (input: JsonValue, call: ToolCall) => JsonValue | Promise<JsonValue>;
