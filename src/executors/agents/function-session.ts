import { artifactClaimSchema } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { AgentAnswer, AgentCommand, AgentSession, AgentSettings, KillReport } from '../../domain/runs/ports.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';
import { agentFailure } from './agent-failure.ts';
import type { SendControl } from './session-deps.ts';
import { startTimer } from './timer.ts';

type Handler = NonNullable<AgentSettings['handler']>;

/**
 * An agent that is a function of the workspace's configuration, in our own process. A deadline and an abort reach it
 * through its signal; a handler that does not listen is left behind, and what it returns later counts for nothing.
 * Commands do not wait for each other.
 */
export class FunctionSession implements AgentSession {
  readonly agent: AgentSession['agent'];
  readonly #handler: Handler;
  readonly #closing = new AbortController();

  constructor(settings: AgentSettings, handler: Handler) {
    this.agent = { name: settings.name, version: 'function', dedupe: false };
    this.#handler = handler;
  }

  get usable(): boolean {
    return !this.#closing.signal.aborted;
  }

  async send(command: AgentCommand, control: SendControl): Promise<AgentAnswer> {
    const { name } = this.agent;
    const ended = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    const end = (failure: WaybillError) => {
      reject(failure);
      ended.abort(failure);
    };
    const stop = AbortSignal.any([control.signal, this.#closing.signal]);
    const onStop = () =>
      end(
        new WaybillError('canceled', `the command to agent ${name} was canceled`, {
          details: { agent: name, retryable: false },
        }),
      );
    if (stop.aborted) onStop();
    stop.addEventListener('abort', onStop, { once: true });
    using _deadline = startTimer(control.deadlineMs, () =>
      end(
        agentFailure('agent_timeout', name, `gave no answer to ${command.action} in ${control.deadlineMs} ms`, {
          deadlineMs: control.deadlineMs,
        }),
      ),
    );
    try {
      const work = ended.signal.aborted ? promise : Promise.resolve().then(() => this.#handler(command, ended.signal));
      return checked(name, await Promise.race([work, promise]));
    } catch (error) {
      throw ended.signal.aborted ? ended.signal.reason : handlerFailure(name, error);
    } finally {
      stop.removeEventListener('abort', onStop);
    }
  }

  async close(): Promise<KillReport> {
    this.#closing.abort();
    return { how: 'contained', signaled: 0, left: 0 };
  }
}

/** A configuration is not type-checked when it runs, so what its function returns is looked at like any agent's. */
function checked(agent: string, answer: AgentAnswer): AgentAnswer {
  const shape = typeof answer === 'object' && answer !== null && Array.isArray(answer.artifacts);
  if (!shape || typeof answer.outputs !== 'object' || answer.outputs === null || Array.isArray(answer.outputs)) {
    throw agentFailure('agent_bad_line', agent, 'returned something else than { outputs: {...}, artifacts: [...] }');
  }
  const bad = answer.artifacts.findIndex((claim) => !artifactClaimSchema.safeParse(claim).success);
  if (bad !== -1)
    throw agentFailure(
      'agent_bad_line',
      agent,
      `returned an artifact (number ${bad}) that is not { path, size, digest }`,
    );
  try {
    canonicalJson(answer.outputs);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw agentFailure('agent_bad_line', agent, `returned outputs that ${why}`, {}, error);
  }
  return { outputs: answer.outputs, artifacts: answer.artifacts };
}

function handlerFailure(agent: string, error: unknown): unknown {
  if (error instanceof WaybillError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new WaybillError('agent_error', `agent ${agent} threw: ${why.slice(0, 4096)}`, {
    hint: 'Throw a WaybillError with details.retryable true where trying again may help.',
    details: { agent, retryable: false },
    cause: error,
  });
}
