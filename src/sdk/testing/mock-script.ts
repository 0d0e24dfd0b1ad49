import { z } from 'zod';
import { idShapes } from '../../contract/ids.ts';
import type { JsonObject } from '../../contract/json.ts';

const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), z.json());
const path = z.string().min(1);
const count = z.int().min(1);

/** Only in this attempt of the command; without it, in each. */
const attempt = count.optional();

/** One thing the mock agent does. What it can do wrong is part of what it can do. */
export const mockActSchema = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('delay'), attempt, ms: z.int().min(0) }),
  z.strictObject({
    do: z.literal('log'),
    attempt,
    message: z.string(),
    level: z.enum(['debug', 'info', 'warning', 'error']).optional(),
    count: count.optional(),
  }),
  z.strictObject({ do: z.literal('progress'), attempt, message: z.string(), data: jsonObject.optional() }),
  z.strictObject({ do: z.literal('write'), attempt, path, content: z.string() }),
  z.strictObject({ do: z.literal('edit'), attempt, path, find: z.string().min(1), replace: z.string() }),
  z.strictObject({ do: z.literal('remove'), attempt, path }),
  z.strictObject({
    do: z.literal('complete'),
    attempt,
    outputs: jsonObject.optional(),
    /** Files of the workspace to claim as they are. */
    artifacts: z.array(path).optional(),
    /** One more claim, and it is false. */
    lie: z.enum(['missing', 'outside', 'size', 'digest']).optional(),
    /** Answer a command nobody sent. */
    wrongCorrelation: z.boolean().optional(),
    /** Answer so often. */
    times: count.optional(),
    /** Make the line exactly so many bytes long, with `outputs.padding`. */
    lineBytes: count.optional(),
  }),
  z.strictObject({
    do: z.literal('error'),
    attempt,
    code: z.string().regex(idShapes.name),
    message: z.string(),
    retryable: z.boolean(),
  }),
  z.strictObject({ do: z.literal('exit'), attempt, code: z.int().min(0).max(255) }),
  z.strictObject({ do: z.literal('die'), attempt, signal: z.enum(['SIGKILL', 'SIGTERM', 'SIGSEGV']) }),
  /** Never goes on. */
  z.strictObject({ do: z.literal('silence'), attempt }),
  /** A line as it is, whatever it is. */
  z.strictObject({
    do: z.literal('line'),
    attempt,
    text: z.string(),
    to: z.enum(['stdout', 'stderr']).optional(),
    count: count.optional(),
  }),
  /** So many bytes without a newline. */
  z.strictObject({ do: z.literal('bytes'), attempt, count, to: z.enum(['stdout', 'stderr']).optional() }),
  z.strictObject({ do: z.literal('stopHeartbeat'), attempt }),
  z.strictObject({ do: z.literal('ignoreSigterm'), attempt }),
  /** Leaves a process behind that lives `seconds`; as a daemon it has a session of its own. */
  z.strictObject({
    do: z.literal('grandchild'),
    attempt,
    seconds: count,
    daemon: z.boolean().optional(),
    /** Keep our stdout and stderr open in it. */
    holdsPipes: z.boolean().optional(),
  }),
]);

/** What a mock agent does from its start to its end. */
export const mockScriptSchema = z.strictObject({
  $schema: z.string().optional(),
  description: z.string().optional(),
  name: z.string().regex(idShapes.name).optional(),
  version: z.string().min(1).optional(),
  /** Answer a repeated idempotency key from memory. */
  dedupe: z.boolean().optional(),
  heartbeatMs: count.optional(),
  /** Before the hello. */
  start: z.array(mockActSchema).optional(),
  /** False: never say hello. */
  hello: z.boolean().optional(),
  /** After the hello, before the first command. */
  ready: z.array(mockActSchema).optional(),
  /**
   * For each action the sequences of acts: the first command of the action gets the first one, the next command (of
   * another idempotency key) the second, and so on; the last one serves all further commands.
   */
  actions: z.record(z.string().regex(idShapes.name), z.array(z.array(mockActSchema)).min(1)).optional(),
  /** After each sequence that ended. */
  afterwards: z.array(mockActSchema).optional(),
});

export type MockAct = z.infer<typeof mockActSchema>;
export type MockScript = z.infer<typeof mockScriptSchema>;
