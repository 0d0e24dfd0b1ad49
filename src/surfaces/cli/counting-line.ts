import type { CliContext } from './cli-context.ts';
import { ProgressLine } from './progress-line.ts';

/** The last line of a terminal while something long counts: `blobs 12000 3.4 s`. Nothing where no person looks. */
export class CountingLine implements AsyncDisposable {
  readonly #line: ProgressLine | null;
  #what = '';
  #count = 0;
  #since = Date.now();

  constructor({ json, host }: CliContext) {
    const working = () => (this.#what === '' ? [] : [{ step: `${this.#what} ${this.#count}`, since: this.#since }]);
    this.#line = !json && host.terminal.stderr.isTerminal ? new ProgressLine(working) : null;
  }

  count(what: string, count: number): void {
    if (what !== this.#what) this.#since = Date.now();
    this.#what = what;
    this.#count = count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#line?.[Symbol.asyncDispose]();
  }
}
