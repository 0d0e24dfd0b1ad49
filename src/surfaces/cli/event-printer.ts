import type { LedgerEvent } from '../../contract/evidence.ts';
import type { CliContext } from './cli-context.ts';
import { ProgressLine } from './progress-line.ts';
import { Transcript } from './transcript.ts';

/** Where the events of a run go while it is watched: NDJSON for programs, a transcript for people. */
export class EventPrinter implements AsyncDisposable {
  readonly #context: CliContext;
  readonly #transcript: Transcript;
  readonly #progress: ProgressLine | null;

  constructor(context: CliContext, runId: string) {
    this.#context = context;
    this.#transcript = new Transcript(runId, context.progressPalette);
    const animated = !context.json && context.host.terminal.stderr.isTerminal;
    this.#progress = animated ? new ProgressLine(() => this.#transcript.working) : null;
  }

  async print(event: LedgerEvent): Promise<void> {
    if (this.#context.json) {
      await this.#context.print(JSON.stringify(event));
      return;
    }
    const lines = this.#transcript.lines(event);
    if (lines.length === 0) return;
    this.#progress?.clear();
    await this.#context.note(lines.join('\n'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#progress?.[Symbol.asyncDispose]();
  }
}
