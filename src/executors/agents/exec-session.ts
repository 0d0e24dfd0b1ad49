import { Readable } from 'node:stream';
import { WaybillError } from '../../contract/errors.ts';
import type {
  AgentAnswer,
  AgentCommand,
  AgentSession,
  AgentSessionContext,
  AgentSettings,
  HeldProcess,
  KillReport,
  ProcessPort,
} from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { agentFailure } from './agent-failure.ts';
import { commandLine } from './command-line.ts';
import { ExecOutput } from './exec-output.ts';
import { spawnFailure, startAgentProcess } from './start-agent-process.ts';
import { startTimer } from './timer.ts';

export interface ExecSessionDeps {
  readonly processes: ProcessPort;
  readonly clock: Clock;
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
  readonly #context: AgentSessionContext;
  readonly #closing = new AbortController();
  readonly #running = new Set<HeldProcess>();

  constructor(deps: ExecSessionDeps, settings: AgentSettings, context: AgentSessionContext) {
    this.agent = { name: settings.name, version: 'exec', dedupe: false };
    this.#deps = deps;
    this.#settings = settings;
    this.#context = context;
  }

  get usable(): boolean {
    return !this.#closing.signal.aborted;
  }

  async send(
    command: AgentCommand,
    control: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<AgentAnswer> {
    const stop = AbortSignal.any([control.signal, this.#closing.signal]);
    if (stop.aborted) throw this.#canceled();
    const { correlationId, line } = commandLine(command, this.#context, control.deadlineMs, this.#deps.clock);
    const process = await startAgentProcess(
      this.#deps.processes,
      this.#settings,
      this.#context,
      this.#deps.argv,
      this.#deps.env,
    );
    this.#running.add(process);
    try {
      return await this.#converse(
        process,
        line,
        new ExecOutput(process, this.#settings, this.#context, command, correlationId),
        {
          deadlineMs: control.deadlineMs,
          stop,
          action: command.action,
        },
      );
    } finally {
      // What the program started ends with it, also when it ended well.
      await process.kill(this.#settings.graceMs);
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

  async close(graceMs: number): Promise<KillReport> {
    this.#closing.abort();
    const reports = await Promise.all([...this.#running].map((process) => process.kill(graceMs)));
    return {
      how: this.#deps.processes.containment.how,
      signaled: reports.reduce((sum, report) => sum + report.signaled, 0),
      left: reports.reduce((sum, report) => sum + report.left, 0),
    };
  }

  #canceled(): WaybillError {
    return new WaybillError('canceled', `the command to agent ${this.#settings.name} was canceled`, {
      details: { agent: this.#settings.name, retryable: false },
    });
  }
}
