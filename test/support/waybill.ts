import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const checkout = join(import.meta.dirname, '..', '..');
/** The real program, as users start it. */
export const program = join(checkout, 'bin', 'waybill');

/** How long a test waits for a process: far longer than it takes, and short enough to see what hangs. */
const patienceMs = 90_000;

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A process group of its own, as a shell gives to what runs in the foreground; `interrupt` needs it. */
  readonly foreground?: boolean;
}

/** One running process of the program; what it prints is kept, and it never outlives the test's patience. */
export class Waybill {
  readonly args: readonly string[];
  readonly finished: Promise<Finished>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #changed = Promise.withResolvers<void>();
  #stderr = '';
  #ended = false;

  constructor(args: readonly string[], { cwd, env = {}, foreground = false }: StartOptions) {
    this.args = args;
    const { PATH = '', HOME = '/', TMPDIR } = process.env;
    this.#child = spawn(program, args, {
      cwd,
      detached: foreground,
      env: { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('a process without its pipes');
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    createInterface(stdout).on('line', (line) => {
      this.#lines.push(line);
      this.#wake();
    });
    this.finished = this.#end();
    this.finished.catch(() => {});
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.#name} was not started`);
    return pid;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** To the program alone, not to what it started. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** What a terminal does at Ctrl-C: SIGINT to the whole group in the foreground. */
  interrupt(): void {
    process.kill(-this.pid, 'SIGINT');
  }

  /** Resolves with the first line of standard output that fits; rejects when the process ends without one. */
  async line(fits: (line: string) => boolean): Promise<string> {
    for (let at = 0; ; ) {
      for (; at < this.#lines.length; at++) {
        const line = this.#lines[at] ?? '';
        if (fits(line)) return line;
      }
      if (this.#ended) throw new Error(`${this.#name} ended without the line that was waited for:\n${this.#said}`);
      await this.#changed.promise;
    }
  }

  /** Resolves with true when it has printed so many lines, with false when it ended before. */
  async printed(count: number): Promise<boolean> {
    while (this.#lines.length < count && !this.#ended) await this.#changed.promise;
    return this.#lines.length >= count;
  }

  get #name(): string {
    return `waybill ${this.args.join(' ')}`;
  }

  get #said(): string {
    return `${this.#lines.join('\n')}\n${this.#stderr}`;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #end(): Promise<Finished> {
    const ended = Promise.withResolvers<Finished>();
    const late = setTimeout(() => {
      this.#child.kill('SIGKILL');
      ended.reject(new Error(`${this.#name} did not end within ${patienceMs} ms:\n${this.#said}`));
    }, patienceMs);
    this.#child.once('error', ended.reject);
    this.#child.once('close', (code, signal) => {
      const stdout = this.#lines.map((line) => `${line}\n`).join('');
      ended.resolve({ code, signal, stdout, stderr: this.#stderr });
    });
    try {
      return await ended.promise;
    } finally {
      clearTimeout(late);
      this.#ended = true;
      this.#wake();
    }
  }
}
