import type { Readable, Writable } from 'node:stream';
import { type CommandLine, commandSchema, maxLineBytes } from '../../contract/agent-protocol.ts';
import type { JsonObject } from '../../contract/json.ts';
import { LineReader } from '../../contract/line-reader.ts';

/** Where an agent is: its two ends of the protocol, and what the run told it in variables. */
export interface AgentSurroundings {
  readonly input: Readable;
  readonly output: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** An agent's end of the protocol: writes lines of bounded size, reads commands. */
export class AgentConnection {
  readonly #input: Readable;
  readonly #output: Writable;

  constructor(surroundings: AgentSurroundings) {
    this.#input = surroundings.input;
    this.#output = surroundings.output;
  }

  /** @throws RangeError when a line would have more than `maxLineBytes` bytes; nothing is written then. */
  async write(...lines: readonly JsonObject[]): Promise<void> {
    for (const line of lines) this.check(line);
    await this.writeRaw(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** @throws RangeError when the line would be too long. */
  check(line: JsonObject): void {
    const bytes = Buffer.byteLength(JSON.stringify(line));
    if (bytes > maxLineBytes) throw new RangeError(`a line of ${bytes} bytes, ${maxLineBytes} is the most: use a file`);
  }

  async writeRaw(text: string): Promise<void> {
    if (this.#output.write(text)) return;
    await new Promise<void>((resolve) => {
      this.#output.once('drain', resolve).once('error', () => resolve());
    });
  }

  /**
   * The commands, until the input ends.
   * @throws LineTooLong; Error when a line is no command: an answer to it could not be addressed.
   */
  async *commands(): AsyncGenerator<CommandLine, void, undefined> {
    const lines = new LineReader(maxLineBytes);
    for await (const chunk of this.#input) {
      for (const line of lines.push(Buffer.from(chunk))) {
        if (line.length > 0) yield readCommand(line);
      }
    }
  }
}

function readCommand(line: Uint8Array): CommandLine {
  const parsed = commandSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line)));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Error(`a line that is no command: ${issue?.path.map(String).join('.')}: ${issue?.message}`);
}
