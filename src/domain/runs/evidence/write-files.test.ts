import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ledgerEventSchema,
  receiptSchema,
  runStateSchema,
  snapshotManifestSchema,
} from '../../../contract/evidence.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { requestRun } from '../requests.ts';
import { showReceipt } from '../show-run.ts';
import { openTestWorld, type TestProcess } from '../testing/engine.ts';
import { approving, failing, testWorkflows, threeSteps, wide } from '../testing/workflows.ts';
import { verifyFolder } from './verify.ts';
import { RunFiles, writeRunFiles } from './write-files.ts';

async function pass(process: TestProcess, workflow: string, input: JsonValue = null): Promise<RunId> {
  const { runId, outcome } = await process.runs.start({ workflow, input, actor: 'me' });
  await outcome;
  return parseId('run', runId);
}

/** Every file below a folder by its path, and its content. */
async function contents(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = files.sort().map(async (path) => [path, await readFile(path, 'utf8')] as const);
  return new Map(await Promise.all(read));
}

test('R11 R12 every file of a run fits its schema, is 0600 in folders of 0700, and leaves no temporary file', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  await writeFile(join(world.root, 'a.txt'), 'hello');
  const process = await world.start();
  const runId = await pass(process, wide.name, 2);
  const runs = join(world.data, 'runs');
  const { folder, files, bytes } = await writeRunFiles(process.engine, runId, runs);
  const found = await contents(folder);
  expect([...found.keys()].map((path) => path.slice(folder.length + 1))).toEqual([
    'ledger.ndjson',
    'receipts/wide/step-1.json',
    'receipts/wide/step-2.json',
    'run.json',
    'snapshot.json',
  ]);
  expect(files).toBe(found.size);
  expect(bytes).toBe([...found.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0));
  const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(folder, name), 'utf8'));
  expect(runStateSchema.parse(await read('run.json'))).toMatchObject({ runId, state: 'succeeded', steps: 2 });
  expect(snapshotManifestSchema.parse(await read('snapshot.json'))).toMatchObject({ files: [{ path: 'a.txt' }] });
  expect(receiptSchema.parse(await read('receipts/wide/step-2.json'))).toMatchObject({ number: 2 });
  const lines = (found.get(join(folder, 'ledger.ndjson')) ?? '').trimEnd().split('\n');
  expect(lines.map((line) => ledgerEventSchema.parse(JSON.parse(line)).seq)).toEqual([1, 2, 3, 4, 5, 6]);
  // A receipt's file is the very text whose digest the ledger names.
  const { digest } = await showReceipt(process.engine, runId, 1);
  expect(digestOf(await readFile(join(folder, 'receipts/wide/step-1.json')))).toBe(digest);
  for (const path of found.keys()) expect((await stat(path)).mode & 0o777).toBe(0o600);
  for (const path of [runs, folder, join(folder, 'receipts'), join(folder, 'receipts/wide')]) {
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  }
  expect(await readdir(join(runs, '.writing'))).toEqual([]);
});

test('R13 deleted files come back byte for byte, also after another run has been forked from this one', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await pass(process, failing.name);
  const runs = join(world.data, 'runs');
  const { folder } = await writeRunFiles(process.engine, runId, runs);
  const before = await contents(folder);
  await (await process.runs.retryFailed(runId, { actor: 'me', reason: 'again' })).outcome;
  await rm(runs, { recursive: true });
  await writeRunFiles(process.engine, runId, runs);
  expect(await contents(folder)).toEqual(before);
  expect(before.size).toBe(4);
});

test('R12 a ledger cut or torn anywhere, even in the middle of a character, is made whole at the next write', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await pass(process, threeSteps.name);
  const runs = join(world.data, 'runs');
  const { folder } = await writeRunFiles(process.engine, runId, runs);
  const before = await contents(folder);
  const ledger = join(folder, 'ledger.ndjson');
  const { size } = await stat(ledger);
  await fc.assert(
    fc.asyncProperty(fc.nat(size), async (length) => {
      await truncate(ledger, length);
      await new RunFiles(process.engine, runId, runs).write();
      expect(await contents(folder)).toEqual(before);
    }),
    { numRuns: 40 },
  );
});

test.each(['{"seq":99}\n', '{"data":{},"run'])(
  'R12 what does not belong at the end of a ledger file is cut: %j',
  async (tail) => {
    await using world = await openTestWorld({ workflows: testWorkflows });
    const process = await world.start();
    const runId = await pass(process, approving.name);
    const runs = join(world.data, 'runs');
    const { folder } = await writeRunFiles(process.engine, runId, runs);
    const before = await contents(folder);
    await appendFile(join(folder, 'ledger.ndjson'), tail);
    await new RunFiles(process.engine, runId, runs).write();
    expect(await contents(folder)).toEqual(before);
  },
);

test('R12 a ledger file that is not a beginning of the ledger is replaced', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await pass(process, threeSteps.name);
  const runs = join(world.data, 'runs');
  const { folder } = await writeRunFiles(process.engine, runId, runs);
  const before = await contents(folder);
  await writeFile(join(folder, 'ledger.ndjson'), '{}\n{}\n');
  await new RunFiles(process.engine, runId, runs).write();
  expect(await contents(folder)).toEqual(before);
});

test('R12 two writers of one growing run leave the files that one alone would', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const [one, two] = [await world.start(), await world.start()];
  const runId = await pass(one, approving.name);
  const runs = join(world.data, 'runs');
  const [files, others] = [new RunFiles(one.engine, runId, runs), new RunFiles(two.engine, runId, runs)];
  await Promise.all([files.write(), others.write()]);
  expect(await verifyFolder(join(runs, runId))).toMatchObject({ intact: true, state: 'waiting' });
  await requestRun(one.engine, runId, { kind: 'approve', step: 'ship', comment: null }, { actor: 'you' });
  const { outcome } = await one.runs.resume(runId, { actor: 'me' });
  await Promise.all([files.write(), others.write(), outcome]);
  await Promise.all([files.write(), others.write()]);
  const grown = await contents(join(runs, runId));
  expect(await verifyFolder(join(runs, runId))).toMatchObject({ intact: true, state: 'succeeded' });
  await rm(join(runs, runId), { recursive: true });
  await writeRunFiles(one.engine, runId, runs);
  expect(await contents(join(runs, runId))).toEqual(grown);
});

test('R13 files of an unknown run are an error that says so', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const { engine } = await world.start();
  const unknown = parseId('run', 'run-20260101-000000-00000000');
  await expect(writeRunFiles(engine, unknown, join(world.data, 'runs'))).rejects.toMatchObject({
    code: 'run_not_found',
  });
  expect(await readdir(world.data)).not.toContain('runs');
});
