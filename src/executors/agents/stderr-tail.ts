const tailBytes = 2048;
const longestLine = 8192;

/**
 * The stderr of a process as text lines in bounded memory: lines are cut at 8 KiB (the rest of such a line is
 * skipped), and the last 2 KiB are kept for the message of a failure.
 */
export class StderrTail {
  #line = '';
  #skipping = false;
  #tail = '';
  #bytes = 0;
  readonly #decoder = new TextDecoder();

  /** The lines that `chunk` completes; empty ones are left out. */
  push(chunk: Uint8Array): string[] {
    this.#bytes += chunk.length;
    const text = this.#decoder.decode(chunk, { stream: true });
    this.#tail = (this.#tail + text.slice(-tailBytes)).slice(-tailBytes);
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

  /** The last part of everything seen, without a line that was cut at its start. */
  get tail(): string {
    if (this.#bytes <= tailBytes) return this.#tail.trim();
    const firstLineEnd = this.#tail.indexOf('\n');
    return this.#tail.slice(firstLineEnd + 1).trim();
  }

  /** How much was seen in all. */
  get bytes(): number {
    return this.#bytes;
  }

  #takeLine(): string {
    const line = this.#skipping ? `${this.#line.slice(0, longestLine)} (cut)` : this.#line;
    this.#line = '';
    this.#skipping = false;
    return line.replace(/\r$/, '');
  }
}
