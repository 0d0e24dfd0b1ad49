import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunState, runStateSchema } from '../../../contract/evidence.ts';
import { chainStart } from '../../../platform/chain/chain.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import { eventLine } from '../ledger/event-body.ts';
import { assertSame, Broken } from './broken-link.ts';
import { ledgerFile, receiptsFolder, runFile, snapshotFile } from './evidence-paths.ts';
import type { EventText, EvidenceSource } from './evidence-source.ts';
import { readLines, readText, readTextIfThere } from './read-text.ts';

/** Evidence as files: `.waybill/runs/<run id>/`, or a copy of it anywhere. @throws WaybillError `file_read_failed` */
export async function folderSource(folder: string): Promise<EvidenceSource> {
  const run = parseRun(await readText(join(folder, runFile), runFile));
  const receipts = await receiptPaths(join(folder, receiptsFolder));
  return {
    run,
    events: () => eventTexts(join(folder, ledgerFile)),
    receipt: async (number) => {
      const path = receipts.get(number);
      return path === undefined ? 'missing' : { text: await readText(path, `receipt ${number}`) };
    },
    receiptCount: async () => receipts.size,
    sharedReceipts: () => 'apart',
    input: async () => 'apart',
    manifest: async (_tree, bytes) =>
      bytes === null ? 'apart' : ((await readTextIfThere(join(folder, snapshotFile), snapshotFile)) ?? 'missing'),
    blob: async () => 'apart',
  };
}

function parseRun(text: string): RunState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Broken('format', runFile, 'JSON', error instanceof Error ? error.message : String(error));
  }
  const parsed = runStateSchema.safeParse(value);
  if (!parsed.success) throw new Broken('schema', runFile, 'what its schema says', parsed.error.message);
  assertSame('format', runFile, runText(parsed.data), text);
  return parsed.data;
}

/** `run.json`, for people as much as for programs. */
export function runText(run: RunState): string {
  return `${JSON.stringify(run, null, 2)}\n`;
}

async function* eventTexts(path: string): AsyncGenerator<EventText> {
  let seq = 0;
  for await (const line of readLines(path, (number) => `event ${number}`)) {
    seq += 1;
    yield splitLine(line, seq);
  }
}

const tail = /,"previous":"(sha256:[0-9a-f]{64})","digest":"(sha256:[0-9a-f]{64})"\}$/;

/** The parts of a ledger line; the chain's members stand at its end, behind the text that is hashed. */
function splitLine(line: string, seq: number): EventText {
  const found = tail.exec(line);
  const [, previous, digest] = found ?? [];
  if (found === null || previous === undefined || digest === undefined) {
    throw new Broken('format', `event ${seq}`, eventLine('{...}', chainStart, 'sha256:...'), line.slice(-200));
  }
  return { text: `${line.slice(0, found.index)}}`, previous, digest };
}

const receiptName = /^step-([1-9]\d{0,8})\.json$/;

async function receiptPaths(folder: string): Promise<Map<number, string>> {
  const paths = new Map<number, string>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  for (const entry of entries) {
    const number = Number(receiptName.exec(entry.name)?.[1]);
    if (!entry.isFile() || Number.isNaN(number)) continue;
    if (paths.has(number)) throw new Broken('receipt', `receipt ${number}`, 'one file', 'two files');
    paths.set(number, join(entry.parentPath, entry.name));
  }
  return paths;
}
