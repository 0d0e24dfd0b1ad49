import { type CompletedEvent, type ErrorEvent, maxLineBytes } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { LineReader, LineTooLong } from '../../contract/line-reader.ts';
import type { AgentAnswer, AgentCommand, HeldProcess, ProcessExit } from '../../domain/runs/ports.ts';
import { makeWellFormed } from '../../platform/files/make-well-formed.ts';
import type { Redactor } from '../../platform/redaction/redactor.ts';
import { agentFailure } from './agent-failure.ts';
import { answerOf } from './answer-of.ts';
import { claimFile } from './claim-file.ts';
import { drained } from './drained.ts';
import { NoteStream } from './note-stream.ts';
import { parseAgentLine } from './parse-agent-line.ts';
import type { SessionDeps } from './session-deps.ts';
import { StderrTail } from './stderr-tail.ts';

/** How much of a plain output becomes the answer: its end, in characters. */
const plainOutputCharacters = 65_536;

/**
 * What one run of a program says. Lines of the protocol mean what they mean there: the last `completed` or `error`
 * event is the answer, `log` and `progress` are notes, `hello` and `heartbeat` say nothing new. Any other line is
 * plain output. Without an answer the plain output is one: `outputs.text` is its last 64 Ki characters, and each
 * expected output that exists is claimed as an artifact, so an ordinary command can serve as an agent.
 */
export class ExecOutput {
  /** Rejects when the output breaks a limit or cannot be kept; never resolves. */
  readonly failed: Promise<never>;
  readonly #agent: string;
  readonly #workspaceRoot: string;
  readonly #command: AgentCommand;
  readonly #correlationId: string;
  readonly #notes: NoteStream;
  readonly #redactor: Redactor;
  readonly #stderr = new StderrTail();
  readonly #read: Promise<unknown>;
  #last: CompletedEvent | ErrorEvent | undefined;
  #text = '';
  #bytesSeen = 0;
  #keepingNote = 0;
  #stopped = false;

  constructor(process: HeldProcess, deps: SessionDeps, command: AgentCommand, correlationId: string) {
    const { settings, context, redactor } = deps;
    this.#agent = settings.name;
    this.#workspaceRoot = context.workspaceRoot;
    this.#command = command;
    this.#correlationId = correlationId;
    this.#redactor = redactor;
    this.#notes = new NoteStream(context.onNote, redactor);
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    promise.catch(() => {});
    const onError = (error: unknown) => {
      if (!this.#stopped) reject(error instanceof LineTooLong ? this.#tooLong() : error);
    };
    this.#read = Promise.all([this.#readStdout(process).catch(onError), this.#readStderr(process).catch(onError)]);
  }

  /** Waits for what a process that ended has still in its pipes. */
  async drained(): Promise<void> {
    await drained(
      this.#read,
      () => this.#bytesSeen,
      () => this.#keepingNote > 0,
    );
    await this.#notes.flush();
  }

  stop(): void {
    this.#stopped = true;
  }

  circumstances(): JsonObject {
    const stderr = this.#stderr.tail(this.#redactor);
    return {
      ...(stderr === '' ? {} : { stderr }),
      ...(this.#notes.dropped === 0 ? {} : { dropped: this.#notes.dropped }),
    };
  }

  /** @throws WaybillError `agent_error` or `agent_exited` */
  async answer(exit: ProcessExit): Promise<AgentAnswer> {
    const answer = this.#last === undefined ? undefined : answerOf(this.#last, this.#agent, this.#redactor);
    if (answer instanceof WaybillError) throw answer;
    if (exit.exitCode !== 0) {
      const how = exit.signal === null ? `with code ${exit.exitCode}` : `by signal ${exit.signal}`;
      throw agentFailure('agent_exited', this.#agent, `ended ${how}`, {
        phase: 'during',
        exitCode: exit.exitCode,
        signal: exit.signal,
        ...this.circumstances(),
      });
    }
    if (answer !== undefined) return answer;
    const claims = await Promise.all(this.#command.expectedOutputs.map((path) => claimFile(this.#workspaceRoot, path)));
    return {
      outputs: { text: makeWellFormed(this.#text).value },
      artifacts: claims.filter((claim) => claim !== undefined),
    };
  }

  async #readStdout(process: HeldProcess): Promise<void> {
    const lines = new LineReader(maxLineBytes);
    for await (const chunk of process.stdout) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      this.#bytesSeen += bytes.length;
      for (const line of lines.push(bytes)) {
        if (this.#stopped) return;
        await this.#onLine(line, '\n');
      }
    }
    const rest = lines.rest();
    if (rest.length > 0) await this.#onLine(rest, '');
  }

  async #onLine(bytes: Uint8Array, end: string): Promise<void> {
    const parsed = parseAgentLine(bytes);
    if (!parsed.ok) {
      const text = new TextDecoder().decode(bytes);
      this.#text = (this.#text + text + end).slice(-plainOutputCharacters);
      if (text.trim() !== '') await this.#keep(this.#notes.add('log', 'info', text));
      return;
    }
    const { line } = parsed;
    switch (line.type) {
      case 'hello':
      case 'heartbeat':
        return;
      case 'log':
        return await this.#keep(this.#notes.add('log', line.level, line.message, line.data));
      case 'event':
        if (line.correlationId !== this.#correlationId) {
          throw agentFailure(
            'agent_wrong_correlation',
            this.#agent,
            'sent an event for a command nobody is waiting for',
          );
        }
        if (line.event === 'progress')
          return await this.#keep(this.#notes.add('progress', 'info', line.message, line.data));
        this.#last = line;
    }
  }

  async #readStderr(process: HeldProcess): Promise<void> {
    for await (const chunk of process.stderr) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      this.#bytesSeen += bytes.length;
      for (const line of this.#stderr.push(bytes)) {
        if (this.#stopped) return;
        await this.#keep(this.#notes.add('stderr', 'info', line));
      }
    }
    const rest = this.#stderr.rest();
    if (rest !== '') await this.#keep(this.#notes.add('stderr', 'info', rest));
  }

  async #keep(note: Promise<void>): Promise<void> {
    this.#keepingNote += 1;
    try {
      await note;
    } finally {
      this.#keepingNote -= 1;
    }
  }

  #tooLong(): WaybillError {
    return agentFailure('agent_line_too_long', this.#agent, `wrote a line of more than ${maxLineBytes} bytes`, {
      limit: maxLineBytes,
    });
  }
}
