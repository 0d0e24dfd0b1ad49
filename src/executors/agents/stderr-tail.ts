import { makeWellFormed } from '../../platform/files/make-well-formed.ts';
import type { Redactor } from '../../platform/redaction/redactor.ts';

const tailCharacters = 2048;
/** Kept raw: so much longer than the tail that a secret cannot reach from before it into the tail. */
const keptCharacters = 16_384;
const longestLine = 8192;

/**
 * The stderr of a process as text lines in bounded memory: lines are cut at 8 KiB (the rest of such a line is
 * skipped), and its last 2 Ki characters are there for the message of a failure.
 */
export class StderrTail {
  #line = '';
  #skipping = false;
  #tail = '';
  readonly #decoder = new TextDecoder();

  /** The lines that `chunk` completes; empty ones are left out. */
  push(chunk: Uint8Array): string[] {
    const text = this.#decoder.decode(chunk, { stream: true });
    this.#tail = (this.#tail + text.slice(-keptCharacters)).slice(-keptCharacters);
    const pieces = text.split('\n');
    const lines: string[] = [];
    for (const [index, piece] of pieces.entries()) {
      if (!this.#skipping) this.#line += piece.slice(0, longestLine - this.#line.length + 1);
      if (this.#line.length > longestLine) this.#skipping = true;
      if (index < pieces.length - 1) lines.push(this.#takeLine());
    }
    return lines.filter((line) => line !== '');
  }

  /** What came after the last newline. */
  rest(): string {
    return this.#takeLine();
  }

  /** The last part of everything seen, without secrets, and without a line that was cut at its start. */
  tail(redactor: Redactor): string {
    const text = makeWellFormed(redactor.text(this.#tail).text).value;
    if (text.length <= tailCharacters) return text.trim();
    const tail = text.slice(-tailCharacters);
    return tail.slice(tail.indexOf('\n') + 1).trim();
  }

  #takeLine(): string {
    const line = this.#skipping ? `${this.#line.slice(0, longestLine)} (cut)` : this.#line;
    this.#line = '';
    this.#skipping = false;
    return line.replace(/\r$/, '');
  }
}
