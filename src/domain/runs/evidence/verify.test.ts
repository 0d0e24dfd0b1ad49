import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { requestRun } from '../requests.ts';
import { Runs } from '../runs.ts';
import { listReceipts, showReceipt } from '../show-run.ts';
import { openTestWorld, type TestProcess, type TestWorld } from '../testing/engine.ts';
import { approvedButBad, approving, failing, testWorkflows, threeSteps, wide } from '../testing/workflows.ts';
import { writeBundle } from './bundle.ts';
import { importBundle } from './import-bundle.ts';
import { type Verification, verifyBundle, verifyFolder, verifyPath, verifyRun } from './verify.ts';
import { writeRunFiles } from './write-files.ts';

async function finish(process: TestProcess, workflow: string, input: JsonValue = null): Promise<RunId> {
  const { runId, outcome } = await process.runs.start({ workflow, input, actor: 'me' });
  await outcome;
  return parseId('run', runId);
}

/** Opens the database file as nobody is meant to: with the guards off. */
function tamper(world: TestWorld, change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(world.databasePath);
  try {
    const guards = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name NOT LIKE '%_insert'")
      .all();
    for (const { name } of guards) database.exec(`DROP TRIGGER "${String(name)}"`);
    change(database);
  } finally {
    database.close();
  }
}

function seqOf({ firstBroken }: Verification): number {
  return Number(/event (\d+)/.exec(firstBroken?.where ?? '')?.[1]);
}

test.each([
  ['succeeded', threeSteps.name],
  ['failed', failing.name],
] as const)(
  'R7 an intact run verifies whether it %s, in the store, as files and as a bundle',
  async (state, workflow) => {
    await using world = await openTestWorld({ workflows: testWorkflows });
    const process = await world.start();
    const runId = await finish(process, workflow);
    const inStore = await verifyRun(process.engine, runId);
    expect(inStore).toMatchObject({ runId, state, intact: true, authentic: 'unsigned', firstBroken: null });
    expect(inStore.checked.events).toBeGreaterThan(4);
    expect(inStore.checked.receipts).toBe(workflow === failing.name ? 2 : 3);
    const runs = join(world.data, 'runs');
    await writeRunFiles(process.engine, runId, runs);
    expect(await verifyPath(join(runs, runId))).toEqual({ ...inStore, subject: join(runs, runId) });
    const file = join(world.data, 'bundle.json');
    await writeBundle(process.engine, runId, file);
    expect(await verifyPath(file)).toEqual({ ...inStore, subject: file });
  },
);

test('what is neither a file nor a folder is refused at once, not waited for', async () => {
  await expect(verifyPath('/dev/zero')).rejects.toMatchObject({
    code: 'file_read_failed',
    details: { path: '/dev/zero' },
  });
});

test('R7 R13 a run whose own output is large verifies in the store, as files and as a bundle, and imports', async () => {
  const large = defineWorkflow('large', { snapshot: 'none' }, async () => 'x'.repeat(100_000));
  await using world = await openTestWorld({ workflows: [large] });
  const process = await world.start();
  const runId = await finish(process, large.name);
  const whole = { intact: true, firstBroken: null, checked: { blobs: 1 } };
  expect(await verifyRun(process.engine, runId)).toMatchObject(whole);
  await writeRunFiles(process.engine, runId, join(world.data, 'runs'));
  expect(await verifyFolder(join(world.data, 'runs', runId))).toMatchObject({ intact: true, firstBroken: null });
  const file = join(world.data, 'bundle.json');
  await writeBundle(process.engine, runId, file);
  expect(await verifyBundle(file)).toMatchObject(whole);
  await using elsewhere = await openTestWorld({ workflows: [large] });
  const other = await elsewhere.start();
  expect(await importBundle(other.engine, file, 'me')).toMatchObject({ created: true });
  expect(await verifyRun(other.engine, runId)).toMatchObject(whole);
});

test('R7 trees, large outputs and waits are verified too, also of a run that is not finished', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  await writeFile(join(world.root, 'a.txt'), 'hello');
  const process = await world.start();
  const runId = await finish(process, wide.name, 4);
  expect(await verifyRun(process.engine, runId)).toMatchObject({
    intact: true,
    firstBroken: null,
    checked: { receipts: 4, blobs: 1, snapshots: 1 },
  });
  const waiting = await finish(process, approving.name);
  const found = await verifyRun(process.engine, waiting);
  expect(found).toMatchObject({ intact: true, state: 'waiting', checked: { receipts: 1 } });
  await writeRunFiles(process.engine, waiting, join(world.data, 'runs'));
  expect(await verifyFolder(join(world.data, 'runs', waiting))).toMatchObject({ intact: true, state: 'waiting' });
});

test('R7 one flipped byte anywhere in the events or receipts of the store is found, and the first bad event is named', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await finish(process, threeSteps.name);
  const places: {
    table: 'run_event' | 'receipt';
    column: 'body' | 'digest';
    key: number;
    event: number;
    length: number;
  }[] = [];
  tamper(world, (database) => {
    for (const row of database.prepare('SELECT seq, body, digest FROM run_event WHERE run = ?').all(runId)) {
      for (const column of ['body', 'digest'] as const) {
        const length = Buffer.byteLength(String(row[column]));
        places.push({ table: 'run_event', column, key: Number(row.seq), event: Number(row.seq), length });
      }
    }
    for (const row of database.prepare('SELECT number, body, digest FROM receipt WHERE run = ?').all(runId)) {
      const event = Number(/"last":(\d+)/.exec(String(row.body))?.[1]);
      for (const column of ['body', 'digest'] as const) {
        const length = Buffer.byteLength(String(row[column]));
        places.push({ table: 'receipt', column, key: Number(row.number), event, length });
      }
    }
  });
  expect(places.length).toBeGreaterThan(10);
  const write = (place: (typeof places)[number], bytes: Uint8Array) =>
    tamper(world, (database) => {
      const key = place.table === 'run_event' ? 'seq' : 'number';
      database
        .prepare(`UPDATE ${place.table} SET ${place.column} = CAST(? AS TEXT) WHERE run = ? AND ${key} = ?`)
        .run(bytes, runId, place.key);
    });
  const readBytes = (place: (typeof places)[number]): Buffer => {
    using database = new DatabaseSync(world.databasePath);
    const key = place.table === 'run_event' ? 'seq' : 'number';
    const row = database
      .prepare(`SELECT CAST(${place.column} AS BLOB) AS bytes FROM ${place.table} WHERE run = ? AND ${key} = ?`)
      .get(runId, place.key);
    if (!(row?.bytes instanceof Uint8Array)) throw new Error('no such row');
    return Buffer.from(row.bytes);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...places),
      fc.nat(),
      fc.integer({ min: 1, max: 127 }),
      async (place, at, flip) => {
        const original = readBytes(place);
        const changed = Buffer.from(original);
        const index = at % original.length;
        changed[index] = (original[index] ?? 0) ^ flip;
        // A NUL ends a text for SQLite; that, too, is a change.
        write(place, changed);
        try {
          const found = await verifyRun(process.engine, runId);
          expect(found.intact).toBe(false);
          expect(seqOf(found)).toBe(place.event);
        } finally {
          write(place, original);
        }
      },
    ),
    { numRuns: 80 },
  );
  expect(await verifyRun(process.engine, runId)).toMatchObject({ intact: true });
});

test('R7 one flipped byte anywhere in a bundle is found; in an event, that event is named', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await finish(process, threeSteps.name);
  const file = join(world.data, 'bundle.json');
  await writeBundle(process.engine, runId, file);
  const original = await readFile(file);
  const begin = original.indexOf('\n"events":[\n') + '\n"events":[\n'.length;
  const end = original.indexOf('\n],', begin);
  const lineOf = (at: number) => original.subarray(begin, at).filter((byte) => byte === 0x0a).length + 1;
  await fc.assert(
    fc.asyncProperty(fc.nat(original.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = Buffer.from(original);
      changed[at] = (original[at] ?? 0) ^ flip;
      await writeFile(file, changed);
      const found = await verifyBundle(file);
      expect(found.intact).toBe(false);
      // Only where the line itself stays a line: a byte between two events can belong to either.
      const inEvent = at >= begin && at < end && original[at] !== 0x0a && original[at + 1] !== 0x0a;
      if (inEvent) expect(seqOf(found)).toBe(lineOf(at));
    }),
    { numRuns: 300 },
  );
});

test('R23 R7 a step asked for before drift was accepted keeps its key and its tree, later ones have the new one', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  await writeFile(join(world.root, 'a.txt'), 'before');
  const process = await world.start();
  const runId = await finish(process, approvedButBad.name);
  await writeFile(join(world.root, 'a.txt'), 'after');
  await expect(process.runs.resume(runId, { actor: 'me' })).rejects.toMatchObject({ code: 'drift' });
  await (await process.runs.resume(runId, { actor: 'me', acceptDrift: true })).outcome;
  await requestRun(process.engine, runId, { kind: 'approve', step: 'ship', comment: null }, { actor: 'you' });
  await (await process.runs.resume(runId, { actor: 'me' })).outcome;
  const receipts = await listReceipts(process.engine, runId);
  const trees = receipts.map(({ receipt }) => receipt.snapshot);
  expect(receipts.map(({ receipt }) => receipt.step.name)).toEqual(['ship', 'one', 'bad']);
  expect(trees[1]).not.toBe(trees[0]);
  expect(trees[2]).toBe(trees[1]);
  expect(await verifyRun(process.engine, runId)).toMatchObject({
    intact: true,
    firstBroken: null,
    checked: { snapshots: 2 },
  });
  await writeRunFiles(process.engine, runId, join(world.data, 'runs'));
  expect(await verifyFolder(join(world.data, 'runs', runId))).toMatchObject({ intact: true, firstBroken: null });
});

test('R7 R6 runs on the same files that left out different things each keep their own manifest', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  await writeFile(join(world.root, 'a.txt'), 'hello');
  const process = await world.start();
  const { snapshots } = process.engine;
  const capture: typeof snapshots.capture = async (request) => {
    const snapshot = await snapshots.capture(request);
    return { ...snapshot, omitted: [{ path: 'pipe', reason: 'fifo' }] };
  };
  const plain = await finish(process, wide.name, 1);
  const runs = new Runs({ ...process.engine, snapshots: { capture } });
  const { runId, outcome } = await runs.start({ workflow: wide.name, input: 1, actor: 'me' });
  await outcome;
  const folder = join(world.data, 'runs');
  for (const id of [plain, parseId('run', runId)]) {
    expect(await verifyRun(process.engine, id)).toMatchObject({ intact: true, firstBroken: null });
    await writeRunFiles(process.engine, id, folder);
    expect(await verifyFolder(join(folder, id))).toMatchObject({ intact: true, firstBroken: null });
    await writeBundle(process.engine, id, join(world.data, 'bundle.json'));
    expect(await verifyBundle(join(world.data, 'bundle.json'))).toMatchObject({ intact: true, firstBroken: null });
  }
  expect(await readFile(join(folder, runId, 'snapshot.json'), 'utf8')).toContain('pipe');
  expect(await readFile(join(folder, plain, 'snapshot.json'), 'utf8')).not.toContain('pipe');
});

test('R13 the digest of a bundle can be checked without this program: it is that of all lines but the last', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const file = join(world.data, 'bundle.json');
  await writeBundle(process.engine, await finish(process, wide.name, 1), file);
  const text = await readFile(file, 'utf8');
  const lastLine = text.lastIndexOf('\n', text.length - 2) + 1;
  const digest = createHash('sha256').update(text.slice(0, lastLine)).digest('hex');
  expect(text.slice(lastLine)).toBe(`"digest":"sha256:${digest}"}\n`);
});

test('R7 one flipped byte in any file of a folder is found', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  await writeFile(join(world.root, 'a.txt'), 'hello');
  const runId = await finish(process, wide.name, 2);
  const runs = join(world.data, 'runs');
  await writeRunFiles(process.engine, runId, runs);
  const folder = join(runs, runId);
  const files = [
    'ledger.ndjson',
    'run.json',
    'snapshot.json',
    'receipts/wide/step-1.json',
    'receipts/wide/step-2.json',
  ];
  const originals = new Map(
    await Promise.all(files.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), fc.nat(), fc.integer({ min: 1, max: 255 }), async (name, at, flip) => {
      const original = originals.get(name) ?? Buffer.alloc(0);
      const changed = Buffer.from(original);
      const index = at % original.length;
      changed[index] = (original[index] ?? 0) ^ flip;
      await writeFile(join(folder, name), changed);
      try {
        expect(await verifyFolder(folder)).toMatchObject({ intact: false });
      } finally {
        await writeFile(join(folder, name), original);
      }
    }),
    { numRuns: 120 },
  );
  expect(await verifyFolder(folder)).toMatchObject({ intact: true });
});

test.each([
  ['an event is gone', 'DELETE FROM run_event WHERE seq = 3', 3],
  ['the last event is gone', 'DELETE FROM run_event WHERE seq = (SELECT max(seq) FROM run_event)', 8],
  ['all events are gone', 'DELETE FROM run_event', 1],
  ['a receipt is gone', 'DELETE FROM receipt WHERE number = 2', 5],
  [
    'an event follows the terminal one',
    'INSERT INTO run_event (run, seq, type, body, digest) SELECT run, 9, type, body, digest FROM run_event WHERE seq = 2',
    9,
  ],
  ['the run says another state', "UPDATE run SET state = 'failed'", null],
  ['the run says another output', "UPDATE run SET output = '7'", null],
  ['the run says what cannot be read', "UPDATE run SET output = '{'", null],
  ['the run says another actor', "UPDATE run SET actor = 'nobody'", null],
  ['the head is another', 'UPDATE run SET head_seq = head_seq - 1', null],
  ['the input is another', "UPDATE run_input SET input = '1'", null],
] as const)('R7 R8 verify finds that %s', async (_what, sql, event) => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await finish(process, threeSteps.name);
  expect((await verifyRun(process.engine, runId)).checked.events).toBe(8);
  tamper(world, (database) => {
    database.exec('DROP TRIGGER IF EXISTS run_event_insert; DROP TRIGGER IF EXISTS receipt_insert');
    database.exec(sql);
  });
  const found = await verifyRun(process.engine, runId);
  expect(found.intact).toBe(false);
  expect(found.firstBroken).not.toBeNull();
  if (event !== null) expect(seqOf(found)).toBe(event);
});

test('R9 verify finds a receipt that no event names, and a second one of another content', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await finish(process, threeSteps.name);
  tamper(world, (database) =>
    database.exec(
      'INSERT INTO receipt (run, number, idempotency_key, name, outcome, body, digest) SELECT run, 4, idempotency_key, name, outcome, body, digest FROM receipt WHERE number = 3',
    ),
  );
  expect(await verifyRun(process.engine, runId)).toMatchObject({
    intact: false,
    firstBroken: { link: 'receipt', where: 'receipt 4' },
  });
});

test('R7 verify finds lost and changed bytes of an output that lies apart', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await finish(process, wide.name, 1);
  const { outputsBlob } = (await showReceipt(process.engine, runId, 1)).receipt;
  const hex = (outputsBlob?.blob ?? '').slice('sha256:'.length);
  const path = join(world.data, 'blobs', 'sha256', hex.slice(0, 2), hex);
  const bytes = await readFile(path);
  await writeFile(path, Buffer.concat([bytes.subarray(1), Buffer.from('!')]));
  expect(await verifyRun(process.engine, runId)).toMatchObject({ intact: false, firstBroken: { link: 'blob' } });
});
