import type { Span, SpanSink } from './span.ts';

/** Stores a batch of spans; rejects when none of it was stored. */
export type SpanWriter = (spans: readonly Span[]) => Promise<void>;

export interface SpanBufferOptions {
  /** Spans kept while no writer takes them; what comes on top is dropped and counted. */
  readonly capacity?: number;
  /** How long a span may wait for company before it is written, in milliseconds. */
  readonly delayMs?: number;
}

/**
 * Remembers finished spans and writes them in batches, beside the work and never on its path. Before `attach` it
 * only remembers, so that a command that never opens the store pays nothing. Its timer does not keep a process alive.
 */
export class SpanBuffer implements SpanSink {
  readonly #capacity: number;
  readonly #delayMs: number;
  #spans: Span[] = [];
  #write: SpanWriter | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #lost = 0;

  constructor(options: SpanBufferOptions = {}) {
    this.#capacity = options.capacity ?? 10_000;
    this.#delayMs = options.delayMs ?? 200;
  }

  /** How many spans were dropped: the buffer was full, or a batch could not be stored. */
  get lost(): number {
    return this.#lost;
  }

  /** How many spans wait to be written. */
  get waiting(): number {
    return this.#spans.length;
  }

  attach(write: SpanWriter): void {
    this.#write = write;
    if (this.#spans.length > 0) this.#schedule();
  }

  record(span: Span): void {
    if (this.#spans.length >= this.#capacity) {
      this.#lost++;
      return;
    }
    this.#spans.push(span);
    this.#schedule();
  }

  /** Writes all that waits, for an orderly end. Never rejects: spans that cannot be stored are counted as lost. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    if (this.#write === undefined || this.#spans.length === 0) return;
    const batch = this.#spans;
    this.#spans = [];
    this.#writing = this.#write(batch).catch(() => {
      this.#lost += batch.length;
    });
    await this.#writing;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#write === undefined) return;
    this.#timer = setTimeout(() => void this.flush(), this.#delayMs);
    this.#timer.unref();
  }
}
