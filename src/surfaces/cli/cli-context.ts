import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { daemonFile, type Workspace } from '../../domain/workspace/workspace.ts';
import { type Palette, paletteFor } from './palette.ts';
import type { DaemonProgram, Host, OwnProgram, Program } from './program.ts';

/** What was said before or after any command. */
export interface GlobalOptions {
  readonly json: boolean;
  readonly color: boolean;
  readonly workspace: string | undefined;
  /** False: work here, whatever daemon runs. */
  readonly daemon: boolean;
}

/** Why a command ended early; its exit code says so. */
export class Stop {
  readonly #controller = new AbortController();
  #received: 'SIGINT' | 'SIGTERM' | null = null;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get received(): 'SIGINT' | 'SIGTERM' | null {
    return this.#received;
  }

  request(signal: 'SIGINT' | 'SIGTERM'): void {
    this.#received ??= signal;
    this.#controller.abort();
  }

  /** 128 and the number of the signal, as shells have it. */
  static exitCode(signal: 'SIGINT' | 'SIGTERM'): number {
    return signal === 'SIGINT' ? 130 : 143;
  }
}

/** What a command works with: where to print, how to reach the program, how it is told to stop. */
export class CliContext {
  readonly host: Host;
  readonly global: GlobalOptions;
  /** As typed, without the program's own name. */
  readonly args: readonly string[];
  /** For standard output: results. */
  readonly palette: Palette;
  /** For standard error: progress. */
  readonly progressPalette: Palette;
  exitCode = 0;
  /** 130 or 143 when the command was asked to stop. */
  stoppedWith: number | undefined;

  constructor(host: Host, global: GlobalOptions, args: readonly string[]) {
    this.host = host;
    this.global = global;
    this.args = args;
    this.palette = paletteFor(host.terminal.stdout, host.env, global.color);
    this.progressPalette = paletteFor(host.terminal.stderr, host.env, global.color);
  }

  get json(): boolean {
    return this.global.json;
  }

  /** The folder commands work from: `--workspace DIR`, else where the command was typed. */
  get start(): string {
    return resolve(this.host.cwd, this.global.workspace ?? '.');
  }

  /** A path a person typed, from where they typed it. */
  path(typed: string): string {
    return resolve(this.host.cwd, typed);
  }

  print(text: string): Promise<void> {
    return this.host.terminal.stdout.write(`${text}\n`);
  }

  /** Progress and remarks; never part of a result. */
  note(text: string): Promise<void> {
    return this.host.terminal.stderr.write(`${text}\n`);
  }

  /** The one document of a command that does not stream, or its lines for a person. */
  async result(document: () => object, text: () => string): Promise<void> {
    await this.print(this.json ? JSON.stringify(document(), null, 2) : text());
  }

  /**
   * Finds the workspace and asks its daemon, where one runs, else does it here; closes what it opened whatever happens.
   * It comes to the same but for who works, so a command that works on a run itself takes `withOwnProgram`.
   */
  async withProgram<T>(use: (program: Program) => Promise<T>): Promise<T> {
    const workspace = await this.#workspace();
    return await closing((await this.#openDaemon(workspace)) ?? (await this.host.openProgram(workspace)), use);
  }

  /** The same in this process, whatever daemon runs. */
  async withOwnProgram<T>(use: (program: OwnProgram) => Promise<T>): Promise<T> {
    return await closing(await this.host.openProgram(await this.#workspace()), use);
  }

  /** With the daemon of this workspace, or `without` when none runs. */
  async withDaemon<T>(use: (program: DaemonProgram) => Promise<T>, without: () => Promise<T>): Promise<T> {
    const program = await this.#openDaemon(await this.#workspace());
    return program === null ? await without() : await closing(program, use);
  }

  async #workspace(): Promise<Workspace> {
    const { findWorkspace } = await import('../../domain/workspace/find-workspace.ts');
    return await findWorkspace(this.start);
  }

  async #openDaemon(workspace: Workspace): Promise<DaemonProgram | null> {
    if (!this.global.daemon || (this.host.env.WAYBILL_NO_DAEMON ?? '') !== '') return null;
    // Most commands find none, and need not load what looks for it.
    if (!existsSync(daemonFile(workspace))) return null;
    const { findDaemon } = await import('../../domain/workspace/find-daemon.ts');
    const daemon = await findDaemon(workspace);
    if (daemon === null) return null;
    const { openDaemonProgram } = await import('./daemon-program.ts');
    return await openDaemonProgram(daemon, () => this.host.openProgram(workspace));
  }

  /**
   * Runs something long that can be stopped: the first SIGINT or SIGTERM asks it to end in order, the second
   * ends the process at once. Sets the exit code 130 or 143 when it was asked.
   */
  async stoppable<T>(use: (stop: Stop) => Promise<T>): Promise<T> {
    const stop = new Stop();
    using _ = this.host.terminal.onStop((signal) => {
      if (stop.received !== null) this.host.terminal.exit(Stop.exitCode(signal));
      stop.request(signal);
    });
    try {
      return await use(stop);
    } finally {
      if (stop.received !== null) {
        this.stoppedWith = Stop.exitCode(stop.received);
        this.exitCode = this.stoppedWith;
      }
    }
  }
}

async function closing<P extends Program, T>(program: P, use: (program: P) => Promise<T>): Promise<T> {
  try {
    return await use(program);
  } finally {
    await program.close();
  }
}
