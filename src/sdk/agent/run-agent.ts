import { Console } from 'node:console';
import { join } from 'node:path';
import {
  agentProtocol,
  type CommandLine,
  checkAction,
  completedEventSchema,
  helloSchema,
} from '../../contract/agent-protocol.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { Artifact } from '../../contract/workflow.ts';
import { AgentConnection, type AgentSurroundings } from './agent-connection.ts';
import { checkOutputs } from './check-action.ts';
import { claimArtifact } from './claim-artifact.ts';
import { type KeptResult, KeptResults } from './kept-results.ts';

/** Thrown by an action: the command failed, and whether sending it again may help. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { readonly retryable?: boolean; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

export interface ActionContext {
  /** Absolute path of the workspace. */
  readonly workspace: string;
  /** Aborted when the agent is told to end. */
  readonly signal: AbortSignal;
  log(level: 'debug' | 'info' | 'warning' | 'error', message: string, data?: JsonObject): Promise<void>;
  progress(message: string, data?: JsonObject): Promise<void>;
  /** Claims a file of the workspace: path, size, digest. @throws Error when it is missing or outside. */
  artifact(path: string): Promise<Artifact>;
}

export interface ActionResult {
  readonly outputs?: JsonObject;
  readonly artifacts?: readonly Artifact[];
}

export type Action = (command: CommandLine, context: ActionContext) => Promise<ActionResult>;

export interface AgentDefinition {
  readonly name: string;
  readonly version: string;
  readonly actions: Readonly<Record<string, Action>>;
  /** Where results are kept; else `$WAYBILL_AGENT_STATE`, else `.waybill/agents/<name>/` in the workspace. */
  readonly stateFolder?: string;
  readonly heartbeatMs?: number;
}

/**
 * Runs an agent over standard input and output until the input ends: says hello, does the commands one after the
 * other, sends heartbeats while it works, and answers a repeated idempotency key of a run with the result it kept (across
 * restarts, as long as the artifacts are still what they were). Failures are not kept: they are tried again.
 *
 * Standard output belongs to the protocol, so `console` writes to standard error from here on. On SIGTERM the action's signal is aborted and the program ends with code 143 once the action has returned.
 * @throws Error when a line cannot be read as a command; the program should end then.
 */
export async function runAgent(definition: AgentDefinition, surroundings?: AgentSurroundings): Promise<void> {
  if (surroundings !== undefined) return await converse(definition, surroundings, new AbortController().signal);
  const stop = new AbortController();
  let working = false;
  process.once('SIGTERM', () => {
    stop.abort();
    if (!working) process.exit(143);
  });
  // The peer is gone: nobody is left to work for.
  process.stdout.on('error', () => process.exit(1));
  globalThis.console = new Console(process.stderr, process.stderr);
  await converse(
    definition,
    { input: process.stdin, output: process.stdout, environment: process.env },
    stop.signal,
    (busy) => {
      working = busy;
      if (!busy && stop.signal.aborted) process.exit(143);
    },
  );
}

async function converse(
  definition: AgentDefinition,
  surroundings: AgentSurroundings,
  signal: AbortSignal,
  onBusy: (busy: boolean) => void = () => {},
): Promise<void> {
  const connection = new AgentConnection(surroundings);
  const asked = Number(surroundings.environment.WAYBILL_HEARTBEAT_MS);
  const heartbeatMs = definition.heartbeatMs ?? (Number.isInteger(asked) && asked > 0 ? asked : 5000);
  const hello = helloSchema.parse({
    type: 'hello',
    protocol: agentProtocol,
    name: definition.name,
    version: definition.version,
    actions: [...new Set([...Object.keys(definition.actions), checkAction])],
    dedupe: true,
    heartbeatMs,
  });
  await connection.write({ ...hello, heartbeatMs });
  for await (const command of connection.commands()) {
    onBusy(true);
    const { correlationId } = command;
    // A beat is late if it comes at the very end of its interval, so it is sent twice in each.
    const beats = setInterval(() => void connection.write({ type: 'heartbeat', correlationId }), heartbeatMs / 2);
    try {
      await connection.write(await answer(definition, command, connection, surroundings, signal));
    } finally {
      clearInterval(beats);
    }
    onBusy(false);
  }
}

async function answer(
  definition: AgentDefinition,
  command: CommandLine,
  connection: AgentConnection,
  surroundings: AgentSurroundings,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { correlationId, workspace, runId, idempotencyKey } = command;
  const state =
    definition.stateFolder ??
    surroundings.environment.WAYBILL_AGENT_STATE ??
    join(workspace, '.waybill', 'agents', definition.name);
  const results = new KeptResults(state, workspace, runId);
  const completed = (result: KeptResult) => ({
    type: 'event',
    event: 'completed',
    correlationId,
    outputs: result.outputs,
    artifacts: result.artifacts.map(({ path, size, digest }) => ({ path, size, digest })),
  });
  try {
    const kept = await results.find(idempotencyKey);
    if (kept !== undefined) return completed(kept);
    const done = await act(definition, command, connection, signal, (outputs) =>
      JSON.stringify(completed({ outputs, artifacts: [] })),
    );
    const result = { outputs: done.outputs ?? {}, artifacts: done.artifacts ?? [] };
    const event = completed(result);
    completedEventSchema.parse(event);
    connection.check(event);
    await results.keep(idempotencyKey, result);
    return event;
  } catch (error) {
    const known = error instanceof AgentError;
    const message = error instanceof Error ? error.message : String(error);
    return {
      type: 'event',
      event: 'error',
      correlationId,
      error: {
        code: known ? error.code : 'agent_threw',
        message: message.slice(0, 4096),
        retryable: known && error.retryable,
      },
    };
  }
}

async function act(
  definition: AgentDefinition,
  command: CommandLine,
  connection: AgentConnection,
  signal: AbortSignal,
  lineOf: (outputs: JsonObject) => string,
): Promise<ActionResult> {
  const { correlationId, workspace } = command;
  const action = Object.hasOwn(definition.actions, command.action) ? definition.actions[command.action] : undefined;
  if (action === undefined) {
    if (command.action === checkAction) return { outputs: checkOutputs(command.inputs, lineOf) };
    throw new AgentError('unknown_action', `${definition.name} has no action ${command.action}`);
  }
  return await action(command, {
    workspace,
    signal,
    log: (level, message, data) =>
      connection.write({ type: 'log', level, message, correlationId, ...(data && { data }) }),
    progress: (message, data) =>
      connection.write({ type: 'event', event: 'progress', correlationId, message, ...(data && { data }) }),
    artifact: (path) => claimArtifact(workspace, path),
  });
}
