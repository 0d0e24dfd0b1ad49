import { unreachable } from './client-error.ts';

/** One connection of many: it ends with what all of them end with, and when nothing was heard for too long. */
export class Connection implements Disposable {
  readonly #controller = new AbortController();
  readonly #where: string;
  readonly #silenceMs: number;
  readonly #all: AbortSignal;
  readonly #end = () => this.#controller.abort(this.#all.reason);
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(where: string, silenceMs: number, all: AbortSignal) {
    this.#where = where;
    this.#silenceMs = silenceMs;
    this.#all = all;
    all.addEventListener('abort', this.#end, { once: true });
  }

  /**
   * One question within this connection's life, as the stream's opening is.
   * @throws WaybillError what `ask` throws; `daemon_unreachable` when the answer does not begin in time
   */
  async ask<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return await this.#inTime(() => ask(this.#controller.signal));
  }

  /** Opens the stream that `read` then reads; throws as `ask` does. */
  async open(open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>): Promise<void> {
    this.#reader = (await this.ask(open)).getReader();
  }

  /** The next bytes; null when the stream ended in order. @throws WaybillError `daemon_unreachable` */
  async read(): Promise<Uint8Array | null> {
    const reader = this.#reader;
    if (reader === undefined) return null;
    try {
      const { done, value } = await this.#inTime(() => reader.read());
      return done ? null : value;
    } catch (error) {
      const { signal } = this.#controller;
      throw signal.aborted ? signal.reason : unreachable(this.#where, error);
    }
  }

  [Symbol.dispose](): void {
    this.#all.removeEventListener('abort', this.#end);
    this.#controller.abort();
    // A stream that failed has nothing left to let go of.
    this.#reader?.cancel().catch(() => {});
  }

  /** Only waiting counts as silence: what is done with the bytes may take its time. */
  async #inTime<T>(wait: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      const silence = new Error(`nothing was heard for ${this.#silenceMs / 1000} s`);
      this.#controller.abort(unreachable(this.#where, silence));
    }, this.#silenceMs);
    try {
      return await wait();
    } finally {
      clearTimeout(timer);
    }
  }
}
