import { Readable } from 'node:stream';
import { WaybillError } from '../../contract/errors.ts';
import type {
  AgentAnswer,
  AgentCommand,
  AgentSession,
  AgentSettings,
  HeldProcess,
  KillReport,
  ProcessPort,
} from '../../domain/runs/ports.ts';
import { agentFailure } from './agent-failure.ts';
import { commandLine } from './command-line.ts';
import { ExecOutput } from './exec-output.ts';
import type { SendControl, SessionDeps } from './session-deps.ts';
import { spawnFailure, startAgentProcess } from './start-agent-process.ts';
import { startTimer } from './timer.ts';

export interface ExecSessionDeps extends SessionDeps {
  readonly processes: ProcessPort;
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * An agent that is a program run once for each command: the command line on its standard input, which then ends;
 * its answer on its standard output, and exit code 0 or the answer does not count. See `ExecOutput` for what it may
 * write. Whatever it started is killed when it ends, and no heartbeat is expected, only the deadline.
 */
export class ExecSession implements AgentSession {
  readonly agent: AgentSession['agent'];
  readonly #deps: ExecSessionDeps;
  readonly #settings: AgentSettings;
  readonly #closing = new AbortController();
  readonly #running = new Set<HeldProcess>();
  readonly #sending = new Set<Promise<AgentAnswer>>();
  #killed: KillReport;

  constructor(deps: ExecSessionDeps) {
    this.agent = { name: deps.settings.name, version: 'exec', dedupe: false };
    this.#deps = deps;
    this.#settings = deps.settings;
    this.#killed = { how: deps.processes.containment.how, signaled: 0, left: 0 };
  }

  get usable(): boolean {
    return !this.#closing.signal.aborted;
  }

  send(command: AgentCommand, control: SendControl): Promise<AgentAnswer> {
    const answer = this.#send(command, control).finally(() => this.#sending.delete(answer));
    this.#sending.add(answer);
    return answer;
  }

  async #send(command: AgentCommand, control: SendControl): Promise<AgentAnswer> {
    const stop = AbortSignal.any([control.signal, this.#closing.signal]);
    if (stop.aborted) throw this.#canceled();
    const { correlationId, line } = commandLine(command, this.#deps.context, control.deadlineMs, this.#deps.clock);
    const process = await startAgentProcess(this.#deps, this.#deps.argv, this.#deps.env);
    this.#running.add(process);
    const output = new ExecOutput(process, this.#deps, command, correlationId);
    try {
      return await this.#converse(process, line, output, {
        deadlineMs: control.deadlineMs,
        stop,
        action: command.action,
      });
    } finally {
      // What the program started ends with it, also when it ended well.
      const report = await process.kill(this.#settings.graceMs);
      this.#killed = {
        ...report,
        signaled: this.#killed.signaled + report.signaled,
        left: this.#killed.left + report.left,
      };
      for (const stream of [process.stdout, process.stderr]) if (stream instanceof Readable) stream.destroy();
      this.#running.delete(process);
    }
  }

  async #converse(
    process: HeldProcess,
    line: string,
    output: ExecOutput,
    limits: { readonly deadlineMs: number; readonly stop: AbortSignal; readonly action: string },
  ): Promise<AgentAnswer> {
    const ended = Promise.withResolvers<never>();
    const onStop = () => ended.reject(this.#canceled());
    limits.stop.addEventListener('abort', onStop, { once: true });
    if (limits.stop.aborted) onStop();
    const { deadlineMs } = limits;
    using _deadline = startTimer(deadlineMs, () =>
      ended.reject(
        agentFailure('agent_timeout', this.#settings.name, `gave no answer to ${limits.action} in ${deadlineMs} ms`, {
          deadlineMs,
          ...output.circumstances(),
        }),
      ),
    );
    // A program may answer without reading its input; the broken pipe of that is no failure.
    process.stdin.on('error', () => {});
    try {
      process.release();
      process.stdin.end(line);
      const exited = process.exited.catch((error: unknown) => {
        throw spawnFailure(this.#settings.name, error);
      });
      const exit = await Promise.race([exited, output.failed, ended.promise]);
      await Promise.race([output.drained(), output.failed, ended.promise]);
      return await output.answer(exit);
    } finally {
      limits.stop.removeEventListener('abort', onStop);
      output.stop();
    }
  }

  /** The report is over all processes of the session. */
  async close(graceMs: number): Promise<KillReport> {
    this.#closing.abort();
    await Promise.all([...this.#running].map((process) => process.kill(graceMs)));
    await Promise.allSettled(this.#sending);
    return this.#killed;
  }

  #canceled(): WaybillError {
    return new WaybillError('canceled', `the command to agent ${this.#settings.name} was canceled`, {
      details: { agent: this.#settings.name, retryable: false },
    });
  }
}
