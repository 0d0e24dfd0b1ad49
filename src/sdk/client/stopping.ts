/** `setTimeout` counts in 31 bits; a longer time would be over at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Why something endless is to end: its caller wants it, or its time is over. */
export class Stopping implements Disposable {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #why: 'aborted' | 'deadline' | null = null;
  readonly #abort = () => this.#stop('aborted');

  constructor(caller: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#caller = caller;
    caller?.addEventListener('abort', this.#abort, { once: true });
    if (caller?.aborted === true) this.#abort();
    if (timeoutMs !== undefined && timeoutMs <= longestTimerMs) {
      this.#timer = setTimeout(() => this.#stop('deadline'), Math.max(0, timeoutMs));
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get why(): 'aborted' | 'deadline' | null {
    return this.#why;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#abort);
  }

  #stop(why: 'aborted' | 'deadline'): void {
    this.#why ??= why;
    this.#controller.abort();
  }
}
