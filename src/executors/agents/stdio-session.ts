import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type EventLine, type HelloLine, maxLineBytes } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { LineReader, LineTooLong } from '../../contract/line-reader.ts';
import type {
  AgentAnswer,
  AgentCommand,
  AgentSession,
  AgentSessionContext,
  AgentSettings,
  HeldProcess,
  KillReport,
  ProcessExit,
} from '../../domain/runs/ports.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Redactor } from '../../platform/redaction/redactor.ts';
import { type AgentFailureCode, agentFailure } from './agent-failure.ts';
import { answerOf } from './answer-of.ts';
import { commandLine } from './command-line.ts';
import { drained, drainQuietMs } from './drained.ts';
import { HeartbeatWatch } from './heartbeat-watch.ts';
import { NoteStream } from './note-stream.ts';
import { parseAgentLine } from './parse-agent-line.ts';
import type { SendControl, SessionDeps } from './session-deps.ts';
import { spawnFailure } from './start-agent-process.ts';
import { StderrTail } from './stderr-tail.ts';
import { startTimer } from './timer.ts';

/** One command that was sent and has no answer yet. */
interface Pending {
  readonly correlationId: string;
  readonly resolve: (answer: AgentAnswer) => void;
  readonly reject: (failure: unknown) => void;
  answer?: AgentAnswer | WaybillError;
  watch?: HeartbeatWatch;
}

const phases = {
  hello: 'before its hello',
  before: 'before its first command',
  during: 'before its answer',
  after: 'after its answer',
} as const;

/**
 * One long-lived agent process that speaks `waybill.agent.v1`, from its release to its end.
 *
 * It is *starting* until the first line, which must be a hello in time. Then it is *idle*: nothing is asked and
 * nothing is read; what an idle agent writes stays in its pipe until the next command, so it cannot flood us.
 * A command makes it *busy*: its deadline and its heartbeats are watched and its lines are read one at a time, each
 * note being kept before the next line is looked at. The answer stands when everything that arrived together with
 * it has been read as well (a second answer is a failure, not a surprise later), and the session is idle again: no
 * note comes outside of a command.
 * An `error` event is an answer too: the agent is sound, the work failed.
 *
 * Whatever else happens (the process ends, a line is not of the protocol, time runs out, the caller aborts, a note
 * cannot be kept) makes it *failed*: the process tree is killed, and only when nothing of it is left the pending
 * command is rejected with the one failure that was first. Every later command gets the same failure. A process
 * that ends first has its pipes read to their end, because its answer may be the last thing it wrote.
 *
 * Commands are sent one at a time; further ones wait for their turn, and their deadlines begin with it.
 */
export class StdioSession implements AgentSession {
  readonly #process: HeldProcess;
  readonly #settings: AgentSettings;
  readonly #context: AgentSessionContext;
  readonly #clock: Clock;
  readonly #notes: NoteStream;
  readonly #redactor: Redactor;
  readonly #stderr = new StderrTail();
  readonly #hello = Promise.withResolvers<HelloLine>();
  readonly #read: Promise<unknown>;
  readonly #ending: Promise<void>;
  #agent: AgentSession['agent'];
  #said: HelloLine | undefined;
  #greeted = false;
  #pending: Pending | undefined;
  #answered: string | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Settled while we want to hear the agent. */
  #listening = Promise.withResolvers<void>();
  #stderrKept: Promise<void> = Promise.resolve();
  #keepingNote = 0;
  #bytesSeen = 0;
  #exit: ProcessExit | undefined;
  #failed = false;
  #failure: Promise<unknown> | undefined;
  #killed: Promise<KillReport> | undefined;
  #closed = false;

  constructor(process: HeldProcess, deps: SessionDeps) {
    const { settings, context, clock, redactor } = deps;
    this.#process = process;
    this.#settings = settings;
    this.#context = context;
    this.#clock = clock;
    this.#agent = { name: settings.name, version: '', dedupe: false };
    this.#redactor = redactor;
    this.#notes = new NoteStream(context.onNote, redactor);
    this.#listening.resolve();
    this.#hello.promise.catch(() => {});
    process.stdin.on('error', (error) => void this.#onStdinError(error));
    this.#read = Promise.all([this.#readStdout(), this.#readStderr()]);
    this.#ending = process.exited.then(
      (exit) => this.#onExit(exit),
      (error) => this.#failWith(() => spawnFailure(settings.name, error)),
    );
  }

  /** Lets the program begin and waits for its hello. @throws WaybillError `agent_*`, `canceled`; nothing is left then. */
  async start(): Promise<void> {
    const { helloTimeoutMs } = this.#settings;
    const { signal } = this.#context;
    const onAbort = () => void this.#failWith(() => this.#canceled());
    signal.addEventListener('abort', onAbort, { once: true });
    using _timer = startTimer(helloTimeoutMs, () =>
      this.#fail('agent_no_hello', `said no hello in ${helloTimeoutMs} ms`),
    );
    try {
      if (signal.aborted) onAbort();
      else this.#process.release();
      const hello = await this.#hello.promise;
      this.#agent = { name: hello.name, version: hello.version, dedupe: hello.dedupe };
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  get agent(): AgentSession['agent'] {
    return this.#agent;
  }

  get usable(): boolean {
    return !this.#failed && !this.#closed && this.#exit === undefined;
  }

  send(command: AgentCommand, control: SendControl): Promise<AgentAnswer> {
    const answer = this.#turn.then(() => this.#send(command, control));
    // The caller gets the rejection; the next in line only waits for the end.
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #send(command: AgentCommand, control: SendControl): Promise<AgentAnswer> {
    const { deadlineMs, signal } = control;
    if (signal.aborted) throw this.#canceled();
    const { correlationId, line } = commandLine(command, this.#context, deadlineMs, this.#clock);
    if (this.#exit !== undefined) await this.#ending;
    if (this.#failure !== undefined) throw await this.#failure;
    if (this.#closed) throw this.#closedFailure();
    const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>();
    this.#pending = { correlationId, resolve, reject };
    const onAbort = () => this.#failWith(() => this.#canceled());
    signal.addEventListener('abort', onAbort, { once: true });
    using _deadline = startTimer(deadlineMs, () =>
      this.#fail('agent_timeout', `gave no answer to ${command.action} in ${deadlineMs} ms`, { deadlineMs }),
    );
    using _watch = this.#watchHeartbeats(this.#pending);
    this.#listening.resolve();
    this.#process.stdin.write(line);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#pending = undefined;
    }
  }

  async close(graceMs: number): Promise<KillReport> {
    this.#closed = true;
    this.#process.stdin.end();
    try {
      return await this.#kill(graceMs);
    } finally {
      this.#pending?.reject(this.#closedFailure());
    }
  }

  // ---- what the agent says ---------------------------------------------------------------------------------

  async #readStdout(): Promise<void> {
    const lines = new LineReader(maxLineBytes);
    try {
      for await (const chunk of this.#process.stdout) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        this.#bytesSeen += bytes.length;
        for (const line of lines.push(bytes)) {
          if (this.#failed) return;
          await this.#onLine(line);
        }
        await this.#settle();
        await this.#listening.promise;
        if (this.#failed || this.#closed) return;
      }
    } catch (error) {
      await this.#onReadError(error);
    }
  }

  async #onReadError(error: unknown): Promise<void> {
    if (this.#failed || this.#closed) return;
    if (error instanceof LineTooLong) {
      await this.#fail('agent_line_too_long', `wrote a line of more than ${maxLineBytes} bytes`, {
        limit: maxLineBytes,
      });
    } else {
      await this.#failWith(() => error);
    }
  }

  async #onLine(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const parsed = parseAgentLine(bytes);
    this.#pending?.watch?.beat();
    if (this.#said === undefined) {
      if (parsed.ok && parsed.line.type === 'hello') {
        this.#said = parsed.line;
        return;
      }
      const reason = parsed.ok ? `it is a ${parsed.line.type}` : parsed.reason;
      return await this.#fail('agent_bad_hello', `began with a line that is no hello: ${reason}`, { reason });
    }
    if (!parsed.ok) {
      return await this.#fail('agent_bad_line', `wrote a line that is not of the protocol: ${parsed.reason}`, {
        reason: parsed.reason,
      });
    }
    const { line } = parsed;
    switch (line.type) {
      case 'hello':
        return await this.#fail('agent_bad_line', 'said hello twice', { reason: 'a second hello' });
      case 'heartbeat':
        return;
      case 'log':
        return await this.#keep(this.#notes.add('log', line.level, line.message, line.data));
      case 'event':
        return await this.#onEvent(line);
    }
  }

  async #onEvent(line: EventLine): Promise<void> {
    const pending = this.#pending;
    const isAnswer = line.event !== 'progress';
    if (pending?.correlationId !== line.correlationId) {
      if (isAnswer && line.correlationId === this.#answered) {
        return await this.#fail('agent_duplicate_answer', 'answered a command a second time');
      }
      return await this.#fail('agent_wrong_correlation', 'sent an event for a command nobody is waiting for');
    }
    if (pending.answer !== undefined && isAnswer) {
      return await this.#fail('agent_duplicate_answer', 'answered a command a second time');
    }
    if (line.event === 'progress')
      return await this.#keep(this.#notes.add('progress', 'info', line.message, line.data));
    pending.answer = answerOf(line, this.#settings.name, this.#redactor);
    this.#answered = line.correlationId;
  }

  /** Hands out what has been said, once everything that came with it is read; then there is nothing to listen for. */
  async #settle(): Promise<void> {
    const pending = this.#pending;
    if (this.#failed || this.#said === undefined || (this.#greeted && pending?.answer === undefined)) return;
    // What it wrote to stderr before its answer belongs to this command; a turn of the event loop brings it in.
    await turn();
    await this.#stderrKept;
    await this.#keep(this.#notes.flush());
    if (this.#failed) return;
    this.#greeted = true;
    this.#hello.resolve(this.#said);
    this.#listening = Promise.withResolvers<void>();
    if (pending?.answer instanceof WaybillError) pending.reject(pending.answer);
    else if (pending?.answer !== undefined) pending.resolve(pending.answer);
  }

  async #keep(note: Promise<void>): Promise<void> {
    this.#keepingNote += 1;
    try {
      await note;
    } finally {
      this.#keepingNote -= 1;
    }
  }

  async #readStderr(): Promise<void> {
    try {
      for await (const chunk of this.#process.stderr) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        this.#bytesSeen += bytes.length;
        const lines = this.#stderr.push(bytes);
        await this.#listening.promise;
        this.#stderrKept = this.#keepStderr(lines);
        await this.#stderrKept;
        if (this.#failed || this.#closed) return;
      }
      await this.#keepStderr([this.#stderr.rest()].filter((rest) => rest !== ''));
    } catch (error) {
      await this.#onReadError(error);
    }
  }

  async #keepStderr(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      if (this.#failed || this.#closed) return;
      await this.#keep(this.#notes.add('stderr', 'info', line));
    }
  }

  // ---- how it ends -----------------------------------------------------------------------------------------

  #watchHeartbeats(pending: Pending): HeartbeatWatch | undefined {
    const { heartbeatMs, missedHeartbeats } = this.#settings;
    // An agent that promised no heartbeat has only its deadline; a promised slower one is taken at its word.
    if (heartbeatMs <= 0 || this.#said?.heartbeatMs === undefined) return undefined;
    const intervalMs = Math.max(heartbeatMs, this.#said.heartbeatMs);
    pending.watch = new HeartbeatWatch({
      intervalMs,
      missed: missedHeartbeats,
      paused: () => this.#keepingNote > 0,
      onLost: () =>
        void this.#fail('agent_heartbeat_lost', `was silent for ${missedHeartbeats} heartbeats of ${intervalMs} ms`, {
          intervalMs,
          missedHeartbeats,
        }),
    });
    return pending.watch;
  }

  async #onStdinError(error: unknown): Promise<void> {
    // A dead process is the better explanation; give its exit the time to arrive.
    await Promise.race([this.#process.exited, waited(drainQuietMs)]).catch(() => {});
    if (this.#exit === undefined && this.usable) {
      await this.#fail('agent_exited', 'closed its standard input', { phase: 'during' }, error);
    }
  }

  async #onExit(exit: ProcessExit): Promise<void> {
    this.#exit = exit;
    if (this.#said === undefined || this.#pending !== undefined)
      await drained(
        this.#read,
        () => this.#bytesSeen,
        () => this.#keepingNote > 0,
      );
    if (this.#closed) return;
    const phase = this.#phase();
    const how = exit.signal === null ? `with code ${exit.exitCode}` : `by signal ${exit.signal}`;
    await this.#fail('agent_exited', `ended ${how} ${phases[phase]}`, {
      phase,
      exitCode: exit.exitCode,
      signal: exit.signal,
    });
  }

  #phase(): keyof typeof phases {
    if (this.#said === undefined) return 'hello';
    if (this.#pending !== undefined) return 'during';
    return this.#answered === undefined ? 'before' : 'after';
  }

  #canceled(): WaybillError {
    return new WaybillError('canceled', `the command to agent ${this.#settings.name} was canceled`, {
      details: { agent: this.#settings.name, retryable: false },
    });
  }

  #closedFailure(): WaybillError {
    return agentFailure('agent_exited', this.#settings.name, 'was closed', { phase: 'closed' });
  }

  #fail(code: AgentFailureCode, what: string, details: JsonObject = {}, cause?: unknown): Promise<void> {
    return this.#failWith((kill) =>
      agentFailure(code, this.#settings.name, what, { ...details, ...this.#circumstances(), kill }, cause),
    );
  }

  #circumstances(): JsonObject {
    const stderr = this.#stderr.tail(this.#redactor);
    return {
      ...(stderr === '' ? {} : { stderr }),
      ...(this.#notes.dropped === 0 ? {} : { dropped: this.#notes.dropped }),
    };
  }

  /** The one way into *failed*; only the first failure counts. Never rejects. */
  async #failWith(make: (kill: JsonObject) => unknown): Promise<void> {
    if (this.#failed) return;
    this.#failed = true;
    this.#listening.resolve();
    this.#failure = this.#kill(this.#settings.graceMs).then(
      (report) => make({ how: report.how, signaled: report.signaled, left: report.left }),
      (error: unknown) => error,
    );
    const failure = await this.#failure;
    this.#hello.reject(failure);
    this.#pending?.reject(failure);
  }

  #kill(graceMs: number): Promise<KillReport> {
    this.#killed ??= this.#process.kill(graceMs).finally(() => {
      this.#listening.resolve();
      // A grandchild that cannot be killed must not keep our end of its pipes open.
      for (const stream of [this.#process.stdout, this.#process.stderr])
        if (stream instanceof Readable) stream.destroy();
    });
    return this.#killed;
  }
}

function waited(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
