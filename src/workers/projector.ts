import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WaybillError } from '../contract/errors.ts';
import { isId, type RunId } from '../contract/ids.ts';
import type { Engine } from '../domain/runs/engine.ts';
import { RunFiles, temporaryFolder } from '../domain/runs/evidence/write-files.ts';
import { showRun } from '../domain/runs/show-run.ts';
import { isTerminal } from '../domain/runs/states.ts';
import { makeFolder } from '../platform/files/make-folder.ts';
import { sweepTemporaryFiles } from '../platform/files/write-file-durably.ts';

interface Followed {
  readonly files: RunFiles;
  readonly stop: AbortController;
  /** The loop; settles when the run is not followed any more. */
  readonly loop: Promise<void>;
}

/** Marks runs whose files may be behind their store: a start after a crash finds them here. */
const openFolder = '.open';
const paceMs = 500;
const lookEveryMs = 1_000;

export interface ProjectorOptions {
  /** Told of a write that failed; it is tried again. `finish` rejects with its own. */
  readonly onProblem: (problem: unknown) => void;
}

/**
 * Keeps the evidence files of the runs of this process, half a second behind the store, never on a run's path.
 * Whoever ends a pass awaits `finish`: then the files are complete and durable.
 */
export class Projector {
  readonly #engine: Engine;
  readonly #folder: string;
  readonly #onProblem: (problem: unknown) => void;
  readonly #followed = new Map<RunId, Followed>();

  /** @param folder where each run gets a folder of its own: `.waybill/runs` */
  constructor(engine: Engine, folder: string, options: ProjectorOptions) {
    this.#engine = engine;
    this.#folder = folder;
    this.#onProblem = options.onProblem;
  }

  /**
   * Tidies up after processes that died: removes their temporary files and completes the files of runs nobody
   * holds any more.
   * @returns how many temporary files were removed and how many runs were brought up to date
   */
  async start(): Promise<{ readonly swept: number; readonly completed: number }> {
    const swept = await sweepTemporaryFiles(join(this.#folder, temporaryFolder));
    let completed = 0;
    for (const runId of await this.#marked()) {
      if (this.#followed.has(runId)) continue;
      try {
        const { holder } = await showRun(this.#engine, runId);
        if (holder?.alive === true) continue;
        await new RunFiles(this.#engine, runId, this.#folder).write();
        await this.#unmark(runId);
        completed += 1;
      } catch (problem) {
        // What retention removed has no more to be written: the files of it are left as they are.
        if (problem instanceof WaybillError && problem.code === 'run_removed') await this.#unmark(runId);
        else this.#onProblem(problem);
      }
    }
    return { swept, completed };
  }

  /** Begins to follow a run of this process; following it already is no matter. */
  follow(runId: RunId): void {
    if (this.#followed.has(runId)) return;
    const stop = new AbortController();
    const files = new RunFiles(this.#engine, runId, this.#folder);
    const followed: Followed = { files, stop, loop: this.#loop(runId, files, stop.signal) };
    this.#followed.set(runId, followed);
  }

  /**
   * Writes what the store holds of the run now, durable when it resolves, and stops following it. To be called
   * when a pass has ended: the run is terminal, waits, or was left. A run that another process works on is left to it.
   * @throws WaybillError `file_write_failed`, or what the store says; the next start completes the files then
   */
  async finish(runId: RunId): Promise<void> {
    const followed = this.#followed.get(runId);
    if (followed === undefined) {
      const { holder } = await showRun(this.#engine, runId);
      if (holder?.alive !== true) await new RunFiles(this.#engine, runId, this.#folder).write();
      return;
    }
    followed.stop.abort();
    await followed.loop;
    this.#followed.delete(runId);
    await followed.files.write();
    await this.#unmark(runId);
  }

  /** Finishes all runs that are still followed. */
  async close(): Promise<void> {
    for (const runId of [...this.#followed.keys()]) await this.finish(runId).catch(this.#onProblem);
  }

  async #loop(runId: RunId, files: RunFiles, signal: AbortSignal): Promise<void> {
    using news = this.#engine.store.hints.subscribe(`run:${runId}`);
    await this.#mark(runId).catch(this.#onProblem);
    while (!signal.aborted) {
      if (await this.#writeNow(files)) return;
      // The pace first, the news after: what comes meanwhile is one write, and nothing waits longer than the pace.
      await delay(paceMs, undefined, { signal, ref: false }).catch(() => {});
      await news.next(lookEveryMs, signal);
    }
  }

  /** True when the run is finished and so are its files. */
  async #writeNow(files: RunFiles): Promise<boolean> {
    try {
      return isTerminal((await files.write()).state);
    } catch (problem) {
      this.#onProblem(problem);
      return false;
    }
  }

  async #marked(): Promise<RunId[]> {
    const names = await readdir(join(this.#folder, openFolder)).catch(() => []);
    return names.flatMap((name) => (isId('run', name) ? [name] : []));
  }

  async #mark(runId: RunId): Promise<void> {
    await makeFolder(this.#folder);
    await mkdir(join(this.#folder, openFolder), { recursive: true, mode: 0o700 });
    await writeFile(join(this.#folder, openFolder, runId), '', { mode: 0o600 });
  }

  async #unmark(runId: RunId): Promise<void> {
    await rm(join(this.#folder, openFolder, runId), { force: true });
  }
}
