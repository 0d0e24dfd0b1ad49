import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileWriteFailed, systemCode } from '../files/file-write-failed.ts';
import { sweepTemporaryFiles } from '../files/temporary-file.ts';
import { randomHex } from '../ids/make-id.ts';
import type { ErrorEnvelope } from './envelope.ts';
import type { ErrorStore } from './error-store.ts';

const shape = /^\d{16}-err_[0-9a-f]{32}\.json$/;
const batchSize = 100;

export interface ReplayReport {
  /** Envelopes that are in the store now and were not before. */
  readonly stored: number;
  /** Files that hold no envelope this Waybill can read; they are kept as `<name>.refused`. */
  readonly refused: number;
}

/**
 * Where envelopes wait while the store cannot take them: a file each, `.waybill/spool/<microseconds>-<error id>.json`.
 * Written at once and in place, because the process may be about to die. Its disk is bounded.
 */
export class Spool {
  readonly #folder: string;
  readonly #most: number;
  #held: number | undefined;

  constructor(folder: string, most = 10_000) {
    this.#folder = folder;
    this.#most = most;
  }

  /** True when this process has put something in that has not been replayed since. */
  get holdsOwn(): boolean {
    return this.#held !== undefined && this.#held > 0;
  }

  /** Durable when it returns. @returns false when the spool is full @throws WaybillError `file_write_failed` */
  put(envelope: ErrorEnvelope): boolean {
    this.#held ??= this.#names().length;
    if (this.#held >= this.#most) return false;
    const name = `${String(envelope.timestamp).padStart(16, '0')}-${envelope.errorId}.json`;
    const path = join(this.#folder, name);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      // A name that the sweep below knows, should the process die in between.
      const temporary = join(this.#folder, `.waybill-tmp-${process.pid}-${randomHex(8)}-1`);
      writeSynced(temporary, JSON.stringify(envelope));
      renameSync(temporary, path);
      syncFolder(this.#folder);
    } catch (error) {
      throw fileWriteFailed(path, error);
    }
    this.#held++;
    return true;
  }

  /**
   * Stores what waits, in the order in which it happened, and removes it. Safe to be interrupted and to run in two
   * processes at once, because an envelope is stored once only.
   * @throws what the store throws; what was not stored yet keeps waiting
   */
  async replay(store: ErrorStore): Promise<ReplayReport> {
    await sweepTemporaryFiles(this.#folder);
    const names = this.#names();
    if (names.length === 0) return { stored: 0, refused: 0 };
    const { parseEnvelope } = await import('./envelope-schema.ts');
    let stored = 0;
    let refused = 0;
    for (let from = 0; from < names.length; from += batchSize) {
      const batch: { readonly path: string; readonly envelope: ErrorEnvelope }[] = [];
      for (const name of names.slice(from, from + batchSize)) {
        const path = join(this.#folder, name);
        const text = readIfThere(path);
        if (text === undefined) continue;
        try {
          batch.push({ path, envelope: parseEnvelope(JSON.parse(text)) });
        } catch {
          renameSync(path, `${path}.refused`);
          refused++;
        }
      }
      stored += await store.persistBatch(batch.map(({ envelope }) => envelope));
      for (const { path } of batch) rmSync(path, { force: true });
    }
    this.#held = undefined;
    return { stored, refused };
  }

  #names(): readonly string[] {
    try {
      return readdirSync(this.#folder)
        .filter((name) => shape.test(name))
        .sort();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw fileWriteFailed(this.#folder, error);
    }
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Undefined when another process has replayed it meanwhile. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileWriteFailed(path, error);
  }
}
