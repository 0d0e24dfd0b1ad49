import { z } from 'zod';
import { idShapes } from './ids.ts';
import type { JsonObject } from './json.ts';

/**
 * The agent protocol `waybill.agent.v1`: one JSON object a line, over the standard input and output of a process.
 *
 *     agent -> us    hello                                first line, once
 *     us -> agent    command                              one at a time
 *     agent -> us    event | heartbeat | log              any number; one `completed` or `error` event ends the command
 *
 * Extra fields are allowed everywhere, so that an older side understands a newer one; a known field of a wrong
 * type is refused. Nothing here transforms: the JSON Schemas in `schemas/v1/` are generated from these.
 */
export const agentProtocol = 'waybill.agent.v1';

/** The most bytes one line may have, without the newline that ends it. Bigger content travels as a file. */
export const maxLineBytes = 262_144;

/**
 * The action every agent may offer so that `waybill agents check` can look at it closely: it answers
 * `{ execution, padding }`, where `execution` is a new random text each time the work is really done, and
 * `padding` makes the answer's line `inputs.lineBytes` bytes long when that is given.
 */
export const checkAction = 'waybill.check';

const name = z.string().regex(idShapes.name);
const digest = z.string().regex(idShapes.digest);
const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), z.json());
const messageId = z.string().min(1).max(128);

export const artifactClaimSchema = z.looseObject({
  /** Relative to the workspace, with forward slashes. */
  path: z.string().min(1).max(4096),
  size: z.int().min(0),
  digest,
});

export const helloSchema = z.looseObject({
  type: z.literal('hello'),
  protocol: z.literal(agentProtocol),
  name,
  version: z.string().min(1).max(128),
  actions: z.array(name).max(256),
  /** True when the agent answers a repeated idempotency key from its own memory, across its restarts. */
  dedupe: z.boolean(),
  /** How often it sends a heartbeat while it works; without it no heartbeat is expected. */
  heartbeatMs: z.int().min(1).max(3_600_000).optional(),
});

export const commandSchema = z.looseObject({
  type: z.literal('command'),
  messageId,
  /** Names this sending of the command; every event that answers it carries it. */
  correlationId: messageId,
  /** Names the work: the same key always asks for the same work, so a known one is answered, not done again. */
  idempotencyKey: z.string().regex(idShapes.idempotencyKey),
  runId: z.string().regex(idShapes.run),
  task: z.string().regex(idShapes.task).nullable(),
  step: z.string().min(1),
  attempt: z.int().min(1),
  /** True when the same key may have been sent before. */
  resent: z.boolean(),
  action: name,
  inputs: jsonObject,
  expectedOutputs: z.array(z.string()),
  snapshot: z.looseObject({ id: z.string().regex(idShapes.snapshot), digest }).nullable(),
  /** Absolute path of the workspace's root; also the agent's working directory. */
  workspace: z.string().min(1),
  /** After this time the agent is ended, whatever it does. */
  deadline: z.iso.datetime(),
  /** Higher goes first where an agent has a choice; 0 is usual. */
  priority: z.int(),
  /** W3C trace context of the step. */
  traceparent: z.string().nullable(),
});

export const progressEventSchema = z.looseObject({
  type: z.literal('event'),
  event: z.literal('progress'),
  correlationId: messageId,
  message: z.string(),
  data: jsonObject.optional(),
});

export const completedEventSchema = z.looseObject({
  type: z.literal('event'),
  event: z.literal('completed'),
  correlationId: messageId,
  outputs: jsonObject,
  artifacts: z.array(artifactClaimSchema),
});

export const errorEventSchema = z.looseObject({
  type: z.literal('event'),
  event: z.literal('error'),
  correlationId: messageId,
  error: z.looseObject({
    code: name,
    message: z.string(),
    /** True when the same command may work if it is sent again. */
    retryable: z.boolean(),
  }),
});

export const eventSchema = z.discriminatedUnion('event', [progressEventSchema, completedEventSchema, errorEventSchema]);

export const heartbeatSchema = z.looseObject({
  type: z.literal('heartbeat'),
  correlationId: messageId.optional(),
});

export const logSchema = z.looseObject({
  type: z.literal('log'),
  level: z.enum(['debug', 'info', 'warning', 'error']),
  message: z.string(),
  data: jsonObject.optional(),
  correlationId: messageId.optional(),
});

/** Any line an agent may send. */
export const agentLineSchema = z.discriminatedUnion('type', [helloSchema, eventSchema, heartbeatSchema, logSchema]);

export type HelloLine = z.infer<typeof helloSchema>;
export type CommandLine = z.infer<typeof commandSchema>;
export type EventLine = z.infer<typeof eventSchema>;
export type CompletedEvent = z.infer<typeof completedEventSchema>;
export type ErrorEvent = z.infer<typeof errorEventSchema>;
export type AgentLine = z.infer<typeof agentLineSchema>;
