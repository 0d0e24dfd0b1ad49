import { open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import { type RunState, runStateSchema } from '../../../contract/evidence.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { appendDurably, cutTornLine } from '../../../platform/files/append-durably.ts';
import { fileWriteFailed, systemCode } from '../../../platform/files/file-write-failed.ts';
import { makeFolder } from '../../../platform/files/make-folder.ts';
import { throughTemporaryFile } from '../../../platform/files/temporary-file.ts';
import { readEvents } from '../ledger/read-events.ts';
import type { BlobPort } from '../ports.ts';
import { type Looking, showRun } from '../show-run.ts';
import { isTerminal } from '../states.ts';
import { parseReceipt } from '../steps/receipt.ts';
import { ledgerFile, receiptFile, runFile, snapshotFile } from './evidence-paths.ts';
import { runText } from './folder-source.ts';

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
  /** How far the ledger's file goes, and its size: another size means that somebody else wrote it. */
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
    const state = fileState(await showRun(this.#engine, this.#runId));
    await makeFolder(this.#temporary);
    if (!this.#hasSnapshot) await this.#writeSnapshot();
    await this.#writeReceipts(state);
    await this.#appendLedger(state.lastSeq);
    const text = runText(state);
    if (text !== this.#run) await this.#replace(runFile, text);
    this.#run = text;
    return state;
  }

  /** Forgets how far it got and writes every file again, whatever lies there. */
  async rewrite(): Promise<RunState> {
    await rm(join(this.#folder, ledgerFile), { force: true });
    this.#ledger = undefined;
    this.#receipts = 0;
    this.#hasSnapshot = false;
    this.#run = '';
    return this.write();
  }

  /** The manifest of the tree the run began with, exactly the bytes that are kept. */
  async #writeSnapshot(): Promise<void> {
    const { store, blobs } = this.#engine;
    const [first] = (await readEvents(store, this.#runId, 0, 1)).events;
    const tree =
      first === undefined ? undefined : /"snapshot":\{[^{}]*"digest":"(sha256:[0-9a-f]{64})"/.exec(first.body)?.[1];
    if (tree !== undefined) {
      const row = await store.read((tx) =>
        tx.db.selectFrom('snapshot').select('manifest').where('digest', '=', tree).executeTakeFirst(),
      );
      if (row === undefined)
        throw new WaybillError('blob_missing', `the manifest of the snapshot ${tree} is not in the store`);
      await this.#replace(snapshotFile, await blobs.get(parseDigest(row.manifest)));
    }
    this.#hasSnapshot = true;
  }

  async #writeReceipts({ steps, workflow }: RunState): Promise<void> {
    while (this.#receipts < steps) {
      const rows = await this.#engine.store.read((tx) =>
        tx.db
          .selectFrom('receipt')
          .select(['number', 'body'])
          .where('run', '=', this.#runId)
          .where('number', '>', this.#receipts)
          .where('number', '<=', steps)
          .orderBy('number')
          .limit(100)
          .execute(),
      );
      if (rows.length === 0)
        throw new WaybillError('store_corrupt', `run ${this.#runId} lacks receipt ${this.#receipts + 1}`);
      for (const { number, body } of rows) {
        await this.#replace(receiptFile(parseReceipt(body), workflow), body);
        this.#receipts = number;
      }
    }
  }

  async #appendLedger(until: number): Promise<void> {
    const path = join(this.#folder, ledgerFile);
    const known = this.#ledger;
    let seq = known !== undefined && (await sizeOf(path)) === known.size ? known.seq : await this.#findEnd(path);
    while (seq < until) {
      const { events } = await readEvents(this.#engine.store, this.#runId, seq, Math.min(500, until - seq));
      if (events.length === 0)
        throw new WaybillError('chain_broken', `the ledger of ${this.#runId} ends before event ${until}`);
      seq += events.length;
      await appendDurably(path, events.map(({ line }) => `${line}\n`).join(''), { sync: seq >= until });
    }
    this.#ledger = { seq, size: await sizeOf(path) };
  }

  /** Where a file left by an earlier process ends. One that is not a beginning of this ledger is begun anew. */
  async #findEnd(path: string): Promise<number> {
    await cutTornLine(path);
    const last = await lastLine(path);
    if (last === '') return 0;
    const seq = Number(/"seq":(\d{1,15})[,}]/.exec(last)?.[1] ?? 0);
    const found = seq < 1 ? undefined : (await readEvents(this.#engine.store, this.#runId, seq - 1, 1)).events[0];
    if (found?.line === last && (await countLines(path)) === seq) return seq;
    await rm(path, { force: true });
    return 0;
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

/** Writes all evidence files of a run again, byte for byte as they were. @throws like `RunFiles.write` */
export async function writeRunFiles(engine: Writing, runId: RunId, runsFolder: string): Promise<RunState> {
  return new RunFiles(engine, parseId('run', runId), runsFolder).rewrite();
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

/** The last line without its newline; the file ends with one. Empty when there is none. */
async function lastLine(path: string): Promise<string> {
  const handle = await openToRead(path);
  if (handle === undefined) return '';
  await using file = handle;
  const { size } = await file.stat();
  let tail = Buffer.alloc(0);
  for (let start = size; start > 0; ) {
    const length = Math.min(65_536, start);
    start -= length;
    const block = Buffer.alloc(length);
    await file.read(block, 0, length, start);
    tail = Buffer.concat([block, tail]);
    const newline = tail.lastIndexOf(0x0a, tail.length - 2);
    if (newline >= 0) return tail.toString('utf8', newline + 1, tail.length - 1);
  }
  return tail.toString('utf8', 0, Math.max(0, tail.length - 1));
}

async function countLines(path: string): Promise<number> {
  const handle = await openToRead(path);
  if (handle === undefined) return 0;
  let lines = 0;
  for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 18 })) {
    const bytes: Buffer = chunk;
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) lines += 1;
  }
  return lines;
}

async function openToRead(path: string) {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileWriteFailed(path, error);
  }
}
