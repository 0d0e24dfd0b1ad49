import { z } from 'zod';
import { WaybillError } from './errors.ts';
import { type Digest, idShapes, isId } from './ids.ts';
import type { JsonObject } from './json.ts';
import { problemsText, type ShapeProblem, shapeProblems } from './shape-problems.ts';
import { type ToolPermission, toolPermissions } from './tool.ts';
import type { AnyWorkflow } from './workflow.ts';

/** What an in-process agent (`transport: 'function'`) is asked. */
export interface FunctionAgentCommand {
  readonly idempotencyKey: string;
  readonly runId: string;
  readonly task: string | null;
  readonly step: string;
  readonly attempt: number;
  /** True when the same key may have been sent before: the work may be done already. */
  readonly resent: boolean;
  readonly action: string;
  readonly inputs: JsonObject;
  readonly expectedOutputs: readonly string[];
  readonly snapshot: { readonly id: string; readonly digest: string } | null;
}

export interface FunctionAgentAnswer {
  readonly outputs?: JsonObject;
  /** Files it wrote, relative to the workspace; size in bytes and digest `sha256:<64 hex>` are checked. */
  readonly artifacts?: readonly { readonly path: string; readonly size: number; readonly digest: string }[];
}

/** An agent that is a function of the configuration; must stop its work when `signal` is aborted. */
export type FunctionAgent = (
  command: FunctionAgentCommand,
  signal: AbortSignal,
) => FunctionAgentAnswer | Promise<FunctionAgentAnswer>;

const name = z
  .string()
  .regex(idShapes.name, 'must be a name: a letter, then letters, digits, ".", "_" or "-" (128 at most)');
const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');
const argument = z.string().refine((text) => !text.includes('\0'), 'must not contain a NUL character');
/** `setTimeout` counts in 31 bits; a longer time would fire at once. */
const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const count = z.int().min(0).max(1000);
const glob = z.string().min(1);

const agentSchema = z
  .strictObject({
    /** `stdio`: speaks waybill.agent.v1; `exec`: a plain command, one a step; `function`: `handler`. */
    transport: z.enum(['stdio', 'exec', 'function']).optional(),
    /** Program and arguments, started in the workspace without a shell. */
    command: z.array(argument).min(1).optional(),
    handler: z.custom<FunctionAgent>((value) => typeof value === 'function', 'must be a function').optional(),
    /** Environment variables that may reach the agent, beyond the harmless ones (PATH, HOME, LANG ...). */
    allowEnv: z.array(environmentName).default([]),
    setEnv: z.record(environmentName, argument).default({}),
    /** How long a started agent may take to say hello. */
    helloTimeoutMs: milliseconds.default(10_000),
    /** How long one attempt of a step may take, unless the step says otherwise. */
    deadlineMs: milliseconds.default(1_800_000),
    /** How often a working agent must give a sign of life, and how many may be missing. */
    heartbeatMs: milliseconds.default(10_000),
    missedHeartbeats: count.min(1).default(3),
    /** Further attempts after a retryable failure; the wait is random, up to backoffMs, doubling to maxBackoffMs. */
    retries: count.default(2),
    backoffMs: milliseconds.default(1_000),
    maxBackoffMs: milliseconds.default(60_000),
    /** How often a dead agent process is started again within one step. */
    restarts: count.default(1),
    /** Between SIGTERM and SIGKILL. */
    graceMs: milliseconds.default(5_000),
  })
  .superRefine((agent, problems) => {
    const complain = (key: string, message: string) => problems.addIssue({ code: 'custom', path: [key], message });
    const transport = agent.transport ?? (agent.handler ? 'function' : 'stdio');
    if (transport === 'function') {
      if (!agent.handler) complain('handler', 'is needed by the transport "function"');
      if (agent.command) complain('command', 'has no meaning for the transport "function"');
    } else {
      if (!agent.command)
        complain('command', `is needed by the transport "${transport}": a list of the program and its arguments`);
      if (agent.handler) complain('handler', `has no meaning for the transport "${transport}"`);
    }
  });

function isWorkflow(value: unknown): value is AnyWorkflow {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    isId('name', value.name) &&
    'start' in value &&
    typeof value.start === 'function' &&
    'problems' in value &&
    typeof value.problems === 'function'
  );
}

const storeSchema = z
  .string()
  .refine(
    (text) => text === 'sqlite' || (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)),
    'must be "sqlite" or a "postgres://" address',
  );

const configurationSchema = z
  .strictObject({
    /** The agents of this workspace, by name. */
    agents: z.record(name, agentSchema).default({}),
    /** Own workflows: what `defineWorkflow` returned. */
    workflows: z.array(z.custom<AnyWorkflow>(isWorkflow, 'must be what defineWorkflow(...) returned')).default([]),
    /** Which agent plays which part in the built-in workflow `task`; unless given, the agent named like the part. */
    roles: z
      .strictObject({ builder: name.optional(), reviewer: name.optional(), specMaintainer: name.optional() })
      .default({}),
    /** How many reviews, and how many spec updates, of one task may ask for changes before the run fails. */
    maxIterations: z.int().min(1).max(1000).default(5),
    /** Which files belong to a snapshot, beyond the rule of git (or the walk outside git); globs. */
    snapshot: z.strictObject({ include: z.array(glob).default([]), exclude: z.array(glob).default([]) }).prefault({}),
    /** `files`: `.waybill/runs/` is kept up to date; `on-demand`: only `waybill export` writes it. */
    evidence: z.enum(['files', 'on-demand']).nullable().default(null),
    /** `sqlite` (`.waybill/waybill.db`) or a `postgres://` address. */
    store: storeSchema.default('sqlite'),
    /**
     * PostgreSQL: the role Waybill works as, made when it is missing. The user of the address owns the tables and
     * migrates them; the role may use them and owns nothing, so that no guard of theirs can be dropped.
     */
    storeRole: name.optional(),
    /** What is never stored: the values of these environment variables, and texts that match. */
    redact: z
      .strictObject({
        env: z.array(environmentName).default([]),
        patterns: z.array(z.union([z.string().min(1), z.instanceof(RegExp)])).default([]),
      })
      .prefault({}),
    /** What `waybill serve` allows itself. */
    daemon: z
      .strictObject({
        /** Runs at work at once in one daemon. */
        concurrency: count.min(1).default(16),
        /** Runs that may wait for a place; a submit beyond it is answered 429. */
        maxQueue: z.int().min(1).max(1_000_000).default(1_000),
        /** How long steps at work may take to finish after SIGTERM before their runs are handed over. */
        drainMs: milliseconds.default(10_000),
        /** How often a quiet stream of events gives a sign of life. */
        heartbeatMs: milliseconds.default(15_000),
        bodyBytes: z
          .int()
          .min(1_024)
          .max(256 * 1_048_576)
          .default(16 * 1_048_576),
      })
      .prefault({}),
    /** What the tools of this workspace may be given, and how many of one may run at once on the store. */
    tools: z
      .strictObject({
        permissions: z.array(z.enum(toolPermissions)).default([...toolPermissions]),
        concurrency: z.record(name, count.min(1)).default({}),
      })
      .prefault({}),
    /** How long things are kept. A run is removed when either limit says so; null keeps all. */
    retention: z
      .strictObject({
        runDays: z.int().min(1).max(36_500).nullable().default(null),
        runCount: z.int().min(1).nullable().default(null),
        envelopeDays: z.int().min(1).max(36_500).default(90),
      })
      .prefault({}),
    /** What is published, and how long what leads to it is kept. */
    registry: z
      .strictObject({
        /** Ids of the gates that must be green for a version to be published; none unless given. */
        gates: z.array(z.string().min(1)).default([]),
        /** A draft that is not published is removed after so long. */
        draftDays: z.int().min(1).max(36_500).default(14),
        /** An upload that is not finished is removed after so long. */
        uploadHours: z.int().min(1).max(8_760).default(24),
        /** How long the bytes of a tombstoned version are kept; its record is kept for ever. */
        tombstoneDays: z.int().min(0).max(36_500).default(30),
        /** What nothing refers to is collected only when it has lain there for so long. */
        graceHours: z.int().min(1).max(8_760).default(24),
        maxBlobBytes: z
          .int()
          .min(1)
          .max(2 ** 50)
          .default(16 * 2 ** 30),
      })
      .prefault({}),
    /** Where news of releases are sent. */
    webhooks: z
      .strictObject({
        /** Hosts inside private networks that may be told, as `HOST` or `HOST:PORT`; everything else private is refused. */
        allowPrivate: z.array(z.string().min(1)).default([]),
        /** Tries of one delivery before it is dead and waits for a redelivery by hand. */
        maxAttempts: z.int().min(1).max(100).default(8),
        timeoutMs: milliseconds.default(10_000),
        /** After a try that failed the wait is random, up to backoffMs, doubling to maxBackoffMs. */
        backoffMs: milliseconds.default(5_000),
        maxBackoffMs: milliseconds.default(3_600_000),
      })
      .prefault({}),
    /** Further facts a run records about where it comes from. */
    provenance: z.strictObject({ hostHash: z.boolean().default(false) }).prefault({}),
    /** The test result a builder must give: names of tests that may fail. */
    tests: z.strictObject({ allowedFailures: z.array(z.string().min(1)).default([]) }).prefault({}),
  })
  .superRefine((value, problems) => {
    for (const [role, agent] of Object.entries(value.roles)) {
      if (agent === undefined || Object.hasOwn(value.agents, agent)) continue;
      const known = Object.keys(value.agents)
        .map((each) => `"${each}"`)
        .join(', ');
      problems.addIssue({
        code: 'custom',
        path: ['roles', role],
        message: `names the agent "${agent}", which is not in agents (${known || 'none'})`,
      });
    }
    const seen = new Set<string>();
    for (const [index, workflow] of value.workflows.entries()) {
      if (seen.has(workflow.name))
        problems.addIssue({
          code: 'custom',
          path: ['workflows', index],
          message: `is a second workflow named "${workflow.name}"`,
        });
      seen.add(workflow.name);
    }
  });

/** What a person writes in `waybill.config.ts`. */
export type ConfigurationInput = z.input<typeof configurationSchema>;
export type AgentInput = z.input<typeof agentSchema>;

/** One agent after defaults; `AgentSettings` of the runs' ports is this with the engine's own handler. */
export interface AgentConfiguration {
  readonly name: string;
  readonly transport: 'stdio' | 'exec' | 'function';
  readonly command: readonly string[];
  readonly handler?: (command: FunctionAgentCommand, signal: AbortSignal) => Promise<CheckedAnswer>;
  /** Names of environment variables that may pass, beyond the built-in harmless ones. */
  readonly allowEnv: readonly string[];
  readonly setEnv: Readonly<Record<string, string>>;
  readonly helloTimeoutMs: number;
  readonly deadlineMs: number;
  readonly heartbeatMs: number;
  readonly missedHeartbeats: number;
  readonly retries: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** How many times a dead agent process is started again within one step. */
  readonly restarts: number;
  readonly graceMs: number;
}

export interface CheckedAnswer {
  readonly outputs: JsonObject;
  readonly artifacts: readonly { readonly path: string; readonly size: number; readonly digest: Digest }[];
}

/** The configuration of a workspace, checked, with every default filled in. */
export interface Configuration {
  readonly agents: Readonly<Record<string, AgentConfiguration>>;
  readonly workflows: readonly AnyWorkflow[];
  /** Agent names; null when no agent has that part. */
  readonly roles: {
    readonly builder: string | null;
    readonly reviewer: string | null;
    readonly specMaintainer: string | null;
  };
  readonly maxIterations: number;
  readonly snapshot: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Null is `files` on the command line and `on-demand` in the daemon, which makes many runs. */
  readonly evidence: 'files' | 'on-demand' | null;
  readonly store:
    | { readonly engine: 'sqlite' }
    | { readonly engine: 'postgres'; readonly url: string; readonly role: string | null };
  /** `env`: names whose values are secrets; `patterns`: a text is taken literally, an expression as it is. */
  readonly redact: { readonly env: readonly string[]; readonly patterns: readonly (string | RegExp)[] };
  readonly daemon: {
    readonly concurrency: number;
    readonly maxQueue: number;
    readonly drainMs: number;
    readonly heartbeatMs: number;
    readonly bodyBytes: number;
  };
  readonly tools: {
    readonly permissions: readonly ToolPermission[];
    readonly concurrency: Readonly<Record<string, number>>;
  };
  readonly retention: {
    readonly runDays: number | null;
    readonly runCount: number | null;
    readonly envelopeDays: number;
  };
  readonly registry: {
    readonly gates: readonly string[];
    readonly draftDays: number;
    readonly uploadHours: number;
    readonly tombstoneDays: number;
    readonly graceHours: number;
    readonly maxBlobBytes: number;
  };
  readonly webhooks: {
    readonly allowPrivate: readonly string[];
    readonly maxAttempts: number;
    readonly timeoutMs: number;
    readonly backoffMs: number;
    readonly maxBackoffMs: number;
  };
  readonly provenance: { readonly hostHash: boolean };
  readonly tests: { readonly allowedFailures: readonly string[] };
}

/**
 * Checks a configuration and fills in its defaults.
 * @throws WaybillError `config_invalid`; its message has one line a problem (`agents.builder.retries: ...`), and
 * `details.problems` the same as `{ path, message }`.
 */
export function parseConfiguration(value: unknown): Configuration {
  const parsed = configurationSchema.safeParse(value);
  if (!parsed.success) throw invalid(shapeProblems(parsed.error.issues));
  const { agents, roles, store, storeRole, ...rest } = parsed.data;
  const role = (given: string | undefined, likeIt: string) => given ?? (Object.hasOwn(agents, likeIt) ? likeIt : null);
  return {
    ...rest,
    agents: Object.fromEntries(
      Object.entries(agents).map(([agentName, agent]) => [agentName, agentConfiguration(agentName, agent)]),
    ),
    roles: {
      builder: role(roles.builder, 'builder'),
      reviewer: role(roles.reviewer, 'reviewer'),
      specMaintainer: role(roles.specMaintainer, 'specMaintainer'),
    },
    store: parseStore(store, storeRole ?? null),
  };
}

/**
 * The store an address names. The role is for PostgreSQL: see `storeRole`.
 * @throws WaybillError `invalid_argument`, which says nothing of the address: it may hold a password
 */
export function parseStore(text: string, role: string | null): Configuration['store'] {
  const parsed = storeSchema.safeParse(text);
  if (!parsed.success) {
    throw new WaybillError('invalid_argument', 'the store must be "sqlite" or a "postgres://" address', {
      hint: 'Write it as postgres://USER@HOST:PORT/DATABASE, or leave it out to use the one of the configuration.',
    });
  }
  return text === 'sqlite' ? { engine: 'sqlite' } : { engine: 'postgres', url: text, role };
}

function agentConfiguration(agentName: string, agent: z.output<typeof agentSchema>): AgentConfiguration {
  const { transport, command, handler, ...rest } = agent;
  return {
    ...rest,
    name: agentName,
    transport: transport ?? (handler ? 'function' : 'stdio'),
    command: command ?? [],
    ...(handler && { handler: async (order, signal) => checkedAnswer(agentName, await handler(order, signal)) }),
  };
}

const answerSchema = z.object({
  outputs: z.record(z.string(), z.json()).default({}),
  artifacts: z
    .array(
      z.object({
        path: z.string().min(1),
        size: z.int().min(0),
        digest: z.custom<Digest>((value) => isId('digest', value), 'must be sha256:<64 hex>'),
      }),
    )
    .default([]),
});

function checkedAnswer(agentName: string, answer: unknown): CheckedAnswer {
  const parsed = answerSchema.safeParse(answer ?? {});
  if (parsed.success) return parsed.data;
  throw new WaybillError(
    'agent_error',
    `the answer of the agent "${agentName}" has the wrong shape: ${problemsText(shapeProblems(parsed.error.issues))}`,
    {
      hint: 'A function agent returns { outputs, artifacts: [{ path, size, digest }] }.',
      details: { retryable: false },
    },
  );
}

function invalid(problems: readonly ShapeProblem[]): WaybillError {
  return new WaybillError('config_invalid', `the configuration is not valid: ${problemsText(problems)}`, {
    hint: 'Correct the named settings in waybill.config.ts; `waybill init` in an empty folder writes one with every setting explained.',
    details: { problems: problems.map(({ path, message }) => ({ path, message })) },
  });
}
