import type { Writable } from 'node:stream';
import type { Spinner } from 'yocto-spinner';
import { durationText } from './duration.ts';

/** The steps at work, and when each began (milliseconds since 1970). */
type Working = () => readonly { readonly step: string; readonly since: number }[];

/** What takes less than this is over before a person has read that it goes on. */
const quietMs = 1_000;
const tickMs = 250;

/**
 * The last line of a terminal while work goes on: which steps are at work and for how long. Everything else that
 * is printed meanwhile goes above it. The library is loaded only when something takes that long.
 */
export class ProgressLine implements AsyncDisposable {
  readonly #working: Working;
  readonly #stream: Writable;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #spinner: Spinner | undefined;
  #loading: Promise<void> | undefined;
  #closed = false;

  constructor(working: Working, stream: Writable = process.stderr, now: () => number = Date.now) {
    this.#working = working;
    this.#stream = stream;
    this.#now = now;
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  /** Takes the line away, so that others can print; it comes back by itself. */
  clear(): void {
    this.#spinner?.stop();
    this.#spinner = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#loading;
    this.clear();
  }

  #tick(): void {
    const text = workingText(this.#working(), this.#now());
    if (text === null) this.clear();
    else if (this.#spinner !== undefined) this.#spinner.text = text;
    else this.#loading ??= this.#show(text);
  }

  async #show(text: string): Promise<void> {
    const { default: yoctoSpinner } = await import('yocto-spinner');
    // It would end the process at SIGINT by itself; stopping in order is ours.
    if (!this.#closed) this.#spinner = yoctoSpinner({ text, stream: this.#stream, handleSignals: false }).start();
    this.#loading = undefined;
  }
}

/** `implement 12.3 s, review 2.0 s`: the steps that have been at work long enough to be worth a word. */
export function workingText(working: ReturnType<Working>, now: number): string | null {
  const long = working.filter(({ since }) => now - since >= quietMs);
  return long.length === 0 ? null : long.map(({ step, since }) => `${step} ${durationText(now - since)}`).join(', ');
}
