import { type FSWatcher, watch } from 'node:fs';
import { HintBoard, type HintSource } from '../hint-board.ts';
import type { HintSubscription, Hints } from '../store.ts';

/**
 * A commit writes the log file, syncs it, and only then becomes visible, so the watch is early by one sync:
 * `data_version` is asked again at these times (milliseconds after the watch spoke) until it has changed.
 */
const burst = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256];

/**
 * Hints of this process through the board; of other processes by watching the write-ahead log, only while
 * someone follows. The log is watched by path and never opened; `waybill.db` itself is never touched. The version
 * is asked on the writing connection, for which this process's own commits do not count: they were announced
 * by topic, and would otherwise wake every follower of everything.
 */
export class SqliteHints implements Hints, HintSource {
  readonly #logPath: string;
  readonly #othersVersion: () => number | undefined;
  readonly #board = new HintBoard((followers) => this.#followersAre(followers));
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #seen: number | undefined;
  #closed = false;

  constructor(path: string, othersVersion: () => number | undefined) {
    this.#logPath = `${path}-wal`;
    this.#othersVersion = othersVersion;
  }

  announce(topic: string): void {
    this.#board.hint(topic);
  }

  subscribe(topic: string): HintSubscription {
    return this.#board.subscribe(topic);
  }

  close(): void {
    this.#closed = true;
    this.#board.close();
    this.#stop();
  }

  #followersAre(followers: number): void {
    if (followers === 0) this.#stop();
    else if (this.#watcher === undefined && !this.#closed) this.#start();
  }

  #start(): void {
    this.#seen = this.#othersVersion();
    try {
      this.#watcher = watch(this.#logPath, { persistent: false }, () => this.#look(0));
      // Without a watch followers still read at their bounded timeout, only later.
      this.#watcher.on('error', () => this.#stop());
    } catch {
      this.#watcher = undefined;
    }
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Looks now and, until something has changed, at the later times of the burst; a new write starts it over. */
  #look(step: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const version = this.#othersVersion();
    if (version !== this.#seen) {
      this.#seen = version;
      this.#board.hintAll();
      return;
    }
    const wait = (burst[step + 1] ?? 0) - (burst[step] ?? 0);
    if (wait <= 0) return;
    this.#timer = setTimeout(() => this.#look(step + 1), wait);
    this.#timer.unref();
  }
}
