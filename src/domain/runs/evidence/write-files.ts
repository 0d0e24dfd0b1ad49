import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import { type RunState, runStateSchema } from '../../../contract/evidence.ts';
import type { RunId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { fileWriteFailed, systemCode } from '../../../platform/files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../../../platform/files/make-folder.ts';
import { throughTemporaryFile } from '../../../platform/files/temporary-file.ts';
import { largestPage, parseEvent, readEvents } from '../ledger/read-events.ts';
import { sql } from '../ledger/statements.ts';
import type { BlobPort } from '../ports.ts';
import { parseRows, receiptRow } from '../rows.ts';
import { type Looking, showRun } from '../show-run.ts';
import { isTerminal } from '../states.ts';
import { parseReceipt } from '../steps/receipt.ts';
import { ledgerFile, receiptFile, runFile, snapshotFile } from './evidence-paths.ts';
import { runText } from './folder-source.ts';
import { beginningOf } from './ledger-fold.ts';

/** Read without a query builder: the files of a run are written at the end of nearly every command. */
const selectReceipts = sql(
  'SELECT number, body FROM receipt WHERE run = ? AND number > ? AND number <= ? ORDER BY number LIMIT 32',
);

type Writing = Looking & { readonly blobs: BlobPort };

/** Where temporary files of all runs lie, below the folder of the runs: one place to sweep at start. */
export const temporaryFolder = '.writing';

/**
 * The evidence files of one run, `<folder of runs>/<run id>/`, as the store has them: `run.json`, `ledger.ndjson`,
 * `receipts/<task>/step-<n>.json`, `snapshot.json`; 0600 in 0700, durable, each file old or new and never half.
 *
 * Once open it knows how far it got, so each `write` costs what is new. Receipts come before the events that name
 * them and `run.json` comes last, so what one file names is there, whenever a crash comes.
 */
export class RunFiles {
  readonly #engine: Writing;
  readonly #runId: RunId;
  readonly #folder: string;
  readonly #temporary: string;
  /** How far the ledger's file goes, in events and in bytes. */
  #ledger: { readonly seq: number; readonly size: number } | undefined;
  #receipts = 0;
  #hasSnapshot = false;
  #run = '';

  constructor(engine: Writing, runId: RunId, runsFolder: string) {
    this.#engine = engine;
    this.#runId = runId;
    this.#folder = join(runsFolder, runId);
    this.#temporary = join(runsFolder, temporaryFolder);
  }

  /**
   * Brings the files to where the store is now; what they say is durable when it resolves.
   * @returns the state that was written
   * @throws WaybillError `run_not_found`, `file_write_failed`, `blob_missing`
   */
  async write(): Promise<RunState> {
    for (;;) {
      const written = await this.#writeOnce();
      if (isTerminal(written.state)) return written;
      // Another process may have finished the run, and its files, since we looked: the later state is the one to stay.
      const { state } = await showRun(this.#engine, this.#runId);
      if (!isTerminal(state)) return written;
    }
  }

  async #writeOnce(): Promise<RunState> {
    const state = fileState(await showRun(this.#engine, this.#runId));
    await makeFolder(this.#folder);
    await makeFolder(this.#temporary);
    if (!this.#hasSnapshot) await this.#writeSnapshot();
    await this.#writeReceipts(state);
    await this.#appendLedger(state.lastSeq);
    const text = runText(state);
    if (text !== this.#run) await this.#replace(runFile, text);
    this.#run = text;
    return state;
  }

  /** Writes every file again, whatever lies there; each is the old one or the new one for who reads meanwhile. */
  async rewrite(): Promise<RunState> {
    this.#receipts = 0;
    this.#hasSnapshot = false;
    this.#run = '';
    await showRun(this.#engine, this.#runId);
    await makeFolder(this.#folder);
    await makeFolder(this.#temporary);
    this.#ledger = await this.#replaceLedger();
    return this.write();
  }

  async #replaceLedger(): Promise<{ readonly seq: number; readonly size: number }> {
    const path = join(this.#folder, ledgerFile);
    return throughTemporaryFile({ folder: this.#temporary, mode: 0o600, subject: path }, async (handle) => {
      let [seq, size] = [0, 0];
      for (let more = true; more; ) {
        const page = await readEvents(this.#engine.store, this.#runId, seq);
        const bytes = Buffer.from(page.events.map(({ line }) => `${line}\n`).join(''));
        await handle.writeFile(bytes);
        seq += page.events.length;
        size += bytes.length;
        more = page.more;
      }
      return { path, seq, size };
    });
  }

  /** The manifest of the tree the run began with, exactly the bytes that are kept. */
  async #writeSnapshot(): Promise<void> {
    const { store, blobs } = this.#engine;
    const { events } = await readEvents(store, this.#runId, 0, 2);
    const started = beginningOf(events.map(parseEvent))?.started ?? null;
    if (started === null) return;
    const tree = started.snapshot;
    if (tree !== null) await this.#replace(snapshotFile, await blobs.get(parseDigest(tree.manifest)));
    this.#hasSnapshot = true;
  }

  async #writeReceipts({ steps, workflow }: RunState): Promise<void> {
    while (this.#receipts < steps) {
      const values = [this.#runId, this.#receipts, steps];
      const rows = parseRows(receiptRow, await this.#engine.store.select(selectReceipts, values));
      if (rows.length === 0)
        throw new WaybillError('store_corrupt', `run ${this.#runId} lacks receipt ${this.#receipts + 1}`);
      // Each is a file of its own with syncs of its own, which the disk does many at a time.
      await Promise.all(rows.map(({ body }) => this.#replace(receiptFile(parseReceipt(body), workflow), body)));
      this.#receipts = rows.at(-1)?.number ?? steps;
    }
  }

  /**
   * Writes each line at its place, not at whatever is the end: its bytes follow from the store, so two processes that
   * write the same ledger write the same, and a line torn by a crash is made whole.
   */
  async #appendLedger(until: number): Promise<void> {
    const path = join(this.#folder, ledgerFile);
    const known = this.#ledger;
    let { seq, size } =
      known !== undefined && known.size <= (await sizeOf(path)) ? known : await this.#findEnd(path, until);
    if (seq < until) {
      const isNew = size === 0;
      await using file = await openToWrite(path);
      while (seq < until) {
        const { events } = await readEvents(this.#engine.store, this.#runId, seq, Math.min(largestPage, until - seq));
        if (events.length === 0) throw endsEarly(this.#runId, seq, until);
        const bytes = Buffer.from(events.map(({ line }) => `${line}\n`).join(''));
        await writeAll(file, bytes, size, path);
        seq += events.length;
        size += bytes.length;
      }
      await file.sync();
      if (isNew) await syncFolder(this.#folder);
    }
    this.#ledger = { seq, size };
  }

  /** Where the whole lines of a file left by an earlier process end. One that is not a beginning of this ledger is begun anew. */
  async #findEnd(path: string, until: number): Promise<{ readonly seq: number; readonly size: number }> {
    const { line, lines, size } = await lastWholeLine(path);
    if (lines === 0) return { seq: 0, size: 0 };
    // What will be written covers a torn line; when nothing will, it has to be cut.
    if (lines >= until && size < (await sizeOf(path))) return this.#replaceLedger();
    const { events } = await readEvents(this.#engine.store, this.#runId, lines - 1, 1);
    return events[0]?.line === line ? { seq: lines, size } : this.#replaceLedger();
  }

  async #replace(name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.#folder, name);
    const bytes = Buffer.from(content);
    if (await isSame(path, bytes)) return;
    await makeFolder(dirname(path));
    await throughTemporaryFile({ folder: this.#temporary, mode: 0o600, subject: path }, async (handle) => {
      await handle.writeFile(bytes);
      return { path };
    });
  }
}

export interface WrittenFiles {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/** Writes all evidence files of a run again, byte for byte as they were. @throws like `RunFiles.write` */
export async function writeRunFiles(engine: Writing, runId: RunId, runsFolder: string): Promise<WrittenFiles> {
  await new RunFiles(engine, runId, runsFolder).rewrite();
  const folder = join(runsFolder, runId);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  let bytes = 0;
  for (const path of paths) bytes += await sizeOf(path);
  return { folder, files: paths.length, bytes };
}

/** The state as its file says it. What other runs do with a finished one is not its own evidence, and would change the file. */
function fileState(state: RunState): RunState {
  return runStateSchema.parse(isTerminal(state.state) ? { ...state, sharedBy: [] } : state);
}

async function isSame(path: string, content: Buffer): Promise<boolean> {
  try {
    return content.equals(await readFile(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw fileWriteFailed(path, error);
  }
}

async function sizeOf(path: string): Promise<number> {
  const handle = await openToRead(path);
  if (handle === undefined) return 0;
  await using file = handle;
  return (await file.stat()).size;
}

/** The last line that has its newline, how many such lines there are, and where they end. */
async function lastWholeLine(path: string): Promise<{ line: string; lines: number; size: number }> {
  const handle = await openToRead(path);
  if (handle === undefined) return { line: '', lines: 0, size: 0 };
  let [lines, size, at] = [0, 0, 0];
  let last: Buffer[] = [];
  let current: Buffer[] = [];
  for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 18 })) {
    const bytes: Buffer = chunk;
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      last = [...current, bytes.subarray(start, end)];
      current = [];
      start = end + 1;
      lines += 1;
      size = at + start;
    }
    current.push(bytes.subarray(start));
    at += bytes.length;
  }
  return { line: Buffer.concat(last).toString('utf8'), lines, size };
}

async function openToWrite(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_CREAT | constants.O_WRONLY, 0o600);
  } catch (error) {
    throw fileWriteFailed(path, error);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    }
  } catch (error) {
    throw fileWriteFailed(path, error);
  }
}

async function openToRead(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileWriteFailed(path, error);
  }
}

function endsEarly(runId: RunId, seq: number, until: number): WaybillError {
  return new WaybillError('chain_broken', `the ledger of ${runId} ends at event ${seq}, before event ${until}`, {
    hint: `Find the first broken link with: waybill verify ${runId}`,
  });
}
