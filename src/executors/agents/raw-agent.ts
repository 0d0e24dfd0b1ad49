import { Readable } from 'node:stream';
import { type HelloLine, maxLineBytes } from '../../contract/agent-protocol.ts';
import { LineReader } from '../../contract/line-reader.ts';
import type {
  AgentCommand,
  AgentSessionContext,
  AgentSettings,
  HeldProcess,
  KillReport,
} from '../../domain/runs/ports.ts';
import { agentEnvironment } from './agent-environment.ts';
import type { AgentPortDeps } from './agent-port.ts';
import { unlimitedCommandLine } from './command-line.ts';
import { parseAgentLine } from './parse-agent-line.ts';
import { startTimer } from './timer.ts';

/** An agent's process without a session: for the conformance cases a session would never let happen. */
export class RawAgent implements AsyncDisposable {
  readonly #process: HeldProcess;
  readonly #deps: AgentPortDeps;
  readonly #context: AgentSessionContext;
  readonly #lines: AsyncGenerator<Uint8Array, void, undefined>;

  private constructor(process: HeldProcess, deps: AgentPortDeps, context: AgentSessionContext) {
    this.#process = process;
    this.#deps = deps;
    this.#context = context;
    this.#lines = readLines(process.stdout);
    process.stdin.on('error', () => {});
    // Not read: what it says there is for the person who wrote it.
    process.stderr.resume();
    process.release();
  }

  static async start(deps: AgentPortDeps, settings: AgentSettings, context: AgentSessionContext): Promise<RawAgent> {
    const [program = '', ...rest] = settings.command;
    const env = agentEnvironment(deps.environment, settings, context);
    const process = await deps.processes.start({
      argv: [program, ...rest],
      cwd: context.workspaceRoot,
      env,
      marker: context.marker,
    });
    return new RawAgent(process, deps, context);
  }

  /** Its first line, when that is a hello and comes in time. */
  async hello(timeoutMs: number): Promise<HelloLine | undefined> {
    const line = await this.#next(timeoutMs);
    const parsed = typeof line === 'string' ? undefined : parseAgentLine(line);
    return parsed?.ok === true && parsed.line.type === 'hello' ? parsed.line : undefined;
  }

  /** Sends a command of any length and sees what comes of it. */
  async sendAnyLength(command: AgentCommand, timeoutMs: number): Promise<'completed' | 'error' | 'ended' | 'silent'> {
    this.#process.stdin.write(unlimitedCommandLine(command, this.#context, timeoutMs, this.#deps.clock).line);
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      const line = await this.#next(Math.max(1, endsAt - performance.now()));
      if (line === 'ended') return 'ended';
      if (line === 'late') return 'silent';
      const parsed = parseAgentLine(line);
      if (parsed.ok && parsed.line.type === 'event' && parsed.line.event !== 'progress') return parsed.line.event;
    }
  }

  kill(graceMs: number): Promise<KillReport> {
    return this.#process.kill(graceMs);
  }

  async #next(timeoutMs: number): Promise<Uint8Array | 'ended' | 'late'> {
    const late = Promise.withResolvers<'late'>();
    using _timer = startTimer(timeoutMs, () => late.resolve('late'));
    const next = await Promise.race([this.#lines.next(), late.promise]);
    if (next === 'late') return next;
    return next.done === true ? 'ended' : next.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill(0);
    const { stdout, stderr } = this.#process;
    for (const stream of [stdout, stderr]) if (stream instanceof Readable) stream.destroy();
  }
}

/** Ends where the output does, and where it stops being lines. */
async function* readLines(stdout: NodeJS.ReadableStream): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new LineReader(maxLineBytes);
  for await (const chunk of stdout) yield* reader.push(Buffer.from(chunk));
}
