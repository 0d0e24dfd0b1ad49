/**
 * A source of bytes whose own failure can be told from that of whoever takes them, and that can be ended from outside while
 * it waits for bytes that may never come.
 */
export class WatchedSource implements AsyncIterable<Uint8Array> {
  /** What the source threw, or `end` was given; null while it did neither. */
  failure: { readonly error: unknown } | null = null;
  readonly #source: AsyncIterable<Uint8Array>;
  #stop: ((error: unknown) => void) | null = null;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  /** Whoever waits for the next bytes gets this error now. */
  end(error: unknown): void {
    this.failure ??= { error };
    this.#stop?.(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    const chunks = this.#source[Symbol.asyncIterator]();
    let over = false;
    try {
      for (;;) {
        const { done, value } = await this.#next(chunks);
        if (done === true) {
          over = true;
          return;
        }
        yield value;
      }
    } catch (error) {
      this.failure ??= { error };
      throw error;
    } finally {
      // A source that gives nothing would answer this only when it has something: nobody waits for it.
      if (!over) chunks.return?.().then(undefined, () => {});
    }
  }

  /** Not `Promise.race` with a promise that lives as long as the source: it would remember every chunk there was. */
  #next(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array, unknown>> {
    if (this.failure !== null) return Promise.reject(this.failure.error);
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      chunks.next().then(resolve, reject);
    });
  }
}
