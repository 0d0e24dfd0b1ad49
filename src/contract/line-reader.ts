/** A line was longer than its limit; the rest of the stream cannot be trusted to start at a line. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
  readonly limit: number;

  constructor(limit: number) {
    super(`a line is longer than ${limit} bytes`);
    this.limit = limit;
  }
}

/**
 * Cuts a byte stream into lines that end with `\n`, in bounded memory: at most one unfinished line of `limit`
 * bytes is held, however the bytes arrive. It is the framing of `waybill.agent.v1`, used by both its sides.
 */
export class LineReader {
  readonly #limit: number;
  #held = Buffer.allocUnsafe(1024);
  #length = 0;
  #broken = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The lines that `chunk` completes, without their newline. A yielded line is valid until the next one is asked for.
   * @throws LineTooLong as soon as a line is known to have more than `limit` bytes, and at each call after that.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let start = 0;
    while (start < chunk.length) {
      if (this.#broken) throw new LineTooLong(this.#limit);
      const end = chunk.indexOf(0x0a, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
      if (this.#length + piece.length > this.#limit) {
        this.#broken = true;
        continue;
      }
      start += piece.length + 1;
      if (end === -1) {
        this.#hold(piece);
      } else if (this.#length === 0) {
        yield piece;
      } else {
        this.#hold(piece);
        const line = this.#held.subarray(0, this.#length);
        this.#length = 0;
        yield line;
      }
    }
  }

  /** What came after the last newline; empty when the stream ended with one. */
  rest(): Uint8Array {
    const rest = this.#held.subarray(0, this.#length);
    this.#length = 0;
    return rest;
  }

  #hold(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(this.#held.length * 2, this.#limit)));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    this.#held.set(piece, this.#length);
    this.#length = needed;
  }
}
