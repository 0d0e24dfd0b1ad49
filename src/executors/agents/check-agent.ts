import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkAction, maxLineBytes } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import { parseId } from '../../contract/ids.ts';
import type { JsonObject } from '../../contract/json.ts';
import { LineTooLong } from '../../contract/line-reader.ts';
import type {
  AgentAnswer,
  AgentCommand,
  AgentSession,
  AgentSessionContext,
  AgentSettings,
} from '../../domain/runs/ports.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { makeRunId, randomHex } from '../../platform/ids/make-id.ts';
import { type AgentPortDeps, createAgentPort } from './agent-port.ts';
import { unlimitedCommandLine } from './command-line.ts';
import { RawAgent } from './raw-agent.ts';

/** One case of the protocol's conformance and how the agent did. */
export interface ConformanceCase {
  readonly name: string;
  readonly passed: boolean;
  /** False when the case could not be tried, which is neither good nor bad; `message` says why. */
  readonly checked: boolean;
  readonly message: string;
}

export interface ConformanceReport {
  /** What its hello said; null when there was none. */
  readonly agent: { readonly name: string; readonly version: string } | null;
  readonly cases: readonly ConformanceCase[];
}

export interface CheckOptions {
  /** An action that may really be done, several times; without it `waybill.check`, if the agent offers that. */
  readonly action?: string;
  readonly inputs?: JsonObject;
  readonly deadlineMs?: number;
  readonly allowEnv?: readonly string[];
  readonly signal?: AbortSignal;
}

const graceMs = 5000;

/**
 * Runs the conformance cases of `waybill.agent.v1` against the agent `command` starts, in an empty workspace of its
 * own in the temporary folder, which is removed afterwards. An agent that fails a case is a result, not an error.
 * @throws WaybillError `canceled` when the signal ends it.
 */
export async function checkAgent(
  command: readonly string[],
  deps: AgentPortDeps,
  options: CheckOptions = {},
): Promise<ConformanceReport> {
  const workspace = await mkdtemp(join(tmpdir(), 'waybill-agent-check-'));
  try {
    return await new AgentCheck(command, deps, options, workspace).run();
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

/** Thrown inside a case: the agent did otherwise than it must. */
class Nonconforming extends Error {}
/** Thrown inside a case: it cannot be tried with this agent. */
class NotApplicable extends Error {}

class AgentCheck {
  readonly #deps: AgentPortDeps;
  readonly #options: CheckOptions;
  readonly #settings: AgentSettings;
  readonly #context: AgentSessionContext;
  readonly #deadlineMs: number;
  readonly #signal: AbortSignal;
  readonly #cases: ConformanceCase[] = [];
  #agent: ConformanceReport['agent'] = null;
  #dedupe = false;
  #offersCheck = false;

  constructor(command: readonly string[], deps: AgentPortDeps, options: CheckOptions, workspace: string) {
    this.#deps = deps;
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 10_000;
    this.#signal = options.signal ?? new AbortController().signal;
    this.#settings = {
      name: 'candidate',
      transport: 'stdio',
      command,
      allowEnv: options.allowEnv ?? [],
      setEnv: {},
      helloTimeoutMs: this.#deadlineMs,
      deadlineMs: this.#deadlineMs,
      heartbeatMs: 1000,
      missedHeartbeats: 5,
      retries: 0,
      backoffMs: 0,
      maxBackoffMs: 0,
      restarts: 0,
      graceMs,
    };
    this.#context = {
      runId: makeRunId(deps.clock.now()),
      workspaceRoot: workspace,
      marker: `agent-check-${randomHex(8)}`,
      traceparent: null,
      signal: this.#signal,
      onProcess: async () => {},
      onNote: async () => {},
    };
  }

  async run(): Promise<ConformanceReport> {
    await this.#case('hello', () => this.#hello());
    if (this.#agent !== null) {
      await this.#case('a command is answered', () => this.#answered());
      await this.#case('an unknown action gives an error event', () => this.#unknownAction());
      await this.#case(`a command line of ${maxLineBytes} bytes is taken`, () => this.#longestCommand());
      await this.#case(`an answer line of ${maxLineBytes} bytes is written`, () => this.#longestAnswer());
      await this.#case(`a command line of ${maxLineBytes + 1} bytes is refused`, () => this.#tooLongCommand());
      await this.#case('a repeated idempotency key gives the same answer', () => this.#repeated(false));
      await this.#case('a repeated idempotency key gives the same answer after a restart', () => this.#repeated(true));
      await this.#case('SIGTERM ends it', () => this.#sigterm());
    }
    return { agent: this.#agent, cases: this.#cases };
  }

  async #case(name: string, check: () => Promise<string>): Promise<void> {
    if (this.#signal.aborted) throw new WaybillError('canceled', 'the check was canceled');
    try {
      this.#cases.push({ name, passed: true, checked: true, message: await check() });
    } catch (error) {
      if (this.#signal.aborted) throw error;
      if (error instanceof NotApplicable) {
        this.#cases.push({ name, passed: true, checked: false, message: error.message });
      } else if (error instanceof Nonconforming || error instanceof WaybillError || error instanceof LineTooLong) {
        this.#cases.push({ name, passed: false, checked: true, message: error.message });
      } else {
        throw error;
      }
    }
  }

  async #hello(): Promise<string> {
    await using raw = await RawAgent.start(this.#deps, this.#settings, this.#context);
    const hello = await raw.hello(this.#deadlineMs);
    if (hello === undefined) {
      // The session says better what is wrong with it.
      await this.#with(async () => {});
      throw new Nonconforming('it said no hello');
    }
    this.#agent = { name: hello.name, version: hello.version };
    this.#dedupe = hello.dedupe;
    this.#offersCheck = hello.actions.includes(checkAction);
    return `actions ${hello.actions.join(', ')}; dedupe ${hello.dedupe}`;
  }

  async #answered(): Promise<string> {
    const action = this.#action();
    await this.#with((session) => this.#send(session, this.#command(action)));
    return `${action} was answered with completed`;
  }

  async #unknownAction(): Promise<string> {
    const action = `no-such-action-${randomHex(4)}`;
    const failure = await this.#with((session) => this.#send(session, this.#command(action))).catch((error) => error);
    if (failure instanceof WaybillError && failure.code === 'agent_error') return failure.message;
    if (failure instanceof WaybillError) throw failure;
    throw new Nonconforming(`${action} was answered with completed`);
  }

  async #longestCommand(): Promise<string> {
    const action = this.#action();
    const bare = this.#command(action, { ...this.#options.inputs, padding: '' });
    const padding = 'x'.repeat(maxLineBytes - this.#bytesOf(bare));
    await this.#with((session) => this.#send(session, { ...bare, inputs: { ...bare.inputs, padding } }));
    return `${action} with an input that long was answered with completed`;
  }

  async #longestAnswer(): Promise<string> {
    if (!this.#offersCheck) throw new NotApplicable(`not checked: the agent does not offer ${checkAction}`);
    const command = this.#command(checkAction, { lineBytes: maxLineBytes });
    const { outputs } = await this.#with((session) => this.#send(session, command));
    const padding = typeof outputs.padding === 'string' ? outputs.padding.length : 0;
    if (padding < maxLineBytes / 2)
      throw new Nonconforming(`the answer is not that long: its padding has ${padding} bytes`);
    return `the answer came with ${padding} bytes of padding`;
  }

  async #tooLongCommand(): Promise<string> {
    const action = this.#offersCheck ? checkAction : (this.#options.action ?? 'no-such-action');
    const bare = this.#command(action, { padding: '' });
    const missing = maxLineBytes + 1 - this.#bytesOf(bare);
    await using raw = await RawAgent.start(this.#deps, this.#settings, this.#context);
    await raw.hello(this.#deadlineMs);
    const outcome = await raw.sendAnyLength({ ...bare, inputs: { padding: 'x'.repeat(missing) } }, this.#deadlineMs);
    switch (outcome) {
      case 'completed':
        throw new Nonconforming('it was answered with completed');
      case 'silent':
        throw new Nonconforming('it neither ended nor answered with an error event');
      case 'error':
        return 'it was answered with an error event';
      case 'ended':
        return 'the agent ended';
    }
  }

  async #repeated(restarted: boolean): Promise<string> {
    const action = this.#action();
    if (!this.#dedupe)
      throw new NotApplicable('not checked: its hello says dedupe false, so repeated work is done again');
    const command = this.#command(action);
    const again = { ...command, attempt: 2, resent: true };
    const [first, second] = restarted
      ? [
          await this.#with((session) => this.#send(session, command)),
          await this.#with((session) => this.#send(session, again)),
        ]
      : await this.#with(
          async (session) => [await this.#send(session, command), await this.#send(session, again)] as const,
        );
    if (canonicalJson(asJson(first)) !== canonicalJson(asJson(second))) {
      throw new Nonconforming('the second answer differs from the first: the work was done again');
    }
    return 'both answers are equal';
  }

  async #sigterm(): Promise<string> {
    await using raw = await RawAgent.start(this.#deps, this.#settings, this.#context);
    await raw.hello(this.#deadlineMs);
    const startedAt = performance.now();
    await raw.kill(graceMs);
    const tookMs = Math.round(performance.now() - startedAt);
    if (tookMs >= graceMs) throw new Nonconforming(`it was still there after ${graceMs} ms and had to be killed`);
    return `it ended in ${tookMs} ms`;
  }

  #action(): string {
    if (this.#options.action !== undefined) return this.#options.action;
    if (this.#offersCheck) return checkAction;
    throw new NotApplicable(`not checked: the agent does not offer ${checkAction}`);
  }

  #bytesOf(command: AgentCommand): number {
    return unlimitedCommandLine(command, this.#context, this.#deadlineMs, this.#deps.clock).bytes;
  }

  #command(action: string, inputs: JsonObject = this.#options.inputs ?? {}): AgentCommand {
    return {
      idempotencyKey: parseId('idempotencyKey', `ik:${randomHex(32)}`),
      runId: this.#context.runId,
      task: null,
      step: action,
      attempt: 1,
      resent: false,
      action,
      inputs,
      expectedOutputs: [],
      snapshot: null,
    };
  }

  async #with<T>(use: (session: AgentSession) => Promise<T>): Promise<T> {
    const session = await createAgentPort(this.#deps).open(this.#settings, this.#context);
    try {
      return await use(session);
    } finally {
      await session.close(graceMs);
    }
  }

  #send(session: AgentSession, command: AgentCommand): Promise<AgentAnswer> {
    return session.send(command, { deadlineMs: this.#deadlineMs, signal: this.#signal });
  }
}

function asJson(answer: AgentAnswer): JsonObject {
  return {
    outputs: answer.outputs,
    artifacts: answer.artifacts.map(({ path, size, digest }) => ({ path, size, digest })),
  };
}
