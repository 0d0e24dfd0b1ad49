import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { chainStart } from '../../../platform/chain/chain.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import { readEvents } from '../ledger/read-events.ts';
import { requestRun } from '../requests.ts';
import { listReceipts, showRun } from '../show-run.ts';
import { openTestWorld, runTables, type TestProcess } from '../testing/engine.ts';
import { approvedButBad, approving, failingTwice, testWorkflows, threeSteps, wide } from '../testing/workflows.ts';
import { exportBundle, writeBundle } from './bundle.ts';
import { bundleDigest, bundleText } from './bundle-text.ts';
import { importBundle } from './import-bundle.ts';
import { verifyRun } from './verify.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const onSqlite = () => openTestWorld({ workflows: testWorkflows });
const onPostgres = () =>
  openTestWorld({
    workflows: testWorkflows,
    openStore: () => openPostgresStore({ connection: database.connection, migrations: runTables(), poolSize: 4 }),
  });

async function finish(process: TestProcess, workflow: string, input: JsonValue = null): Promise<RunId> {
  const { runId, outcome } = await process.runs.start({ workflow, input, actor: 'me' });
  await outcome;
  return parseId('run', runId);
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const)('into %s', (_name, open) => {
  test('R13 a bundle of a finished run imports elsewhere as the same run, and again without a change', async () => {
    await using here = await onSqlite();
    await using there = await open();
    await writeFile(join(here.root, 'a.txt'), 'hello');
    const [source, target] = [await here.start(), await there.start()];
    const runId = await finish(source, wide.name, 3);
    const file = join(here.data, 'bundle.json');
    await writeBundle(source.engine, runId, file);
    const imported = await importBundle(target.engine, file, 'you');
    expect(imported).toEqual({ runId, created: true, events: 8, receipts: 3 });
    const [was, is] = [await showRun(source.engine, runId), await showRun(target.engine, runId)];
    expect(is).toEqual({ ...was, origin: { runId, kind: 'import', from: null, reason: is.origin?.reason } });
    expect(await listReceipts(target.engine, runId)).toEqual(await listReceipts(source.engine, runId));
    expect(await readEvents(target.engine.store, runId, 0)).toEqual(await readEvents(source.engine.store, runId, 0));
    expect(await verifyRun(target.engine, runId)).toEqual(await verifyRun(source.engine, runId));
    expect(await importBundle(target.engine, file, 'you')).toEqual({ ...imported, created: false });
  });

  test('R13 R42 a run that waits imports as interrupted, held by nobody, and goes on there to its end', async () => {
    await using here = await onSqlite();
    await using there = await open();
    const [source, target] = [await here.start(), await there.start()];
    const runId = await finish(source, approving.name);
    const file = join(here.data, 'bundle.json');
    await writeBundle(source.engine, runId, file);
    await importBundle(target.engine, file, 'you');
    expect(await showRun(target.engine, runId)).toMatchObject({
      state: 'running',
      interrupted: true,
      holder: null,
      resume: `waybill resume ${runId}`,
      currentStep: { name: 'ship', stage: 'approval', waitingFor: 'approval' },
      pending: (await showRun(source.engine, runId)).pending,
    });
    await requestRun(target.engine, runId, { kind: 'approve', step: 'ship', comment: null }, { actor: 'you' });
    const { outcome } = await target.runs.resume(runId, { actor: 'you' });
    expect(await outcome).toMatchObject({ state: 'succeeded', output: 'done' });
    expect(await verifyRun(target.engine, runId)).toMatchObject({ intact: true, firstBroken: null });
    // What went on since is no conflict with the older bundle.
    expect(await importBundle(target.engine, file, 'you')).toMatchObject({ created: false });
  });

  test('R13 R15 a retried run brings the receipts it shares, also before the run they are of', async () => {
    await using here = await onSqlite();
    await using there = await open();
    const [source, target] = [await here.start(), await there.start()];
    const origin = await finish(source, failingTwice.name);
    const { runId, outcome } = await source.runs.retryFailed(origin, { actor: 'me', reason: 'again' });
    await outcome;
    const files = { retried: join(here.data, 'retried.json'), origin: join(here.data, 'origin.json') };
    await writeBundle(source.engine, runId, files.retried);
    await writeBundle(source.engine, origin, files.origin);
    expect(await importBundle(target.engine, files.retried, 'you')).toMatchObject({ created: true, receipts: 4 });
    expect(await verifyRun(target.engine, runId)).toMatchObject({ intact: true, checked: { receipts: 4 } });
    expect(await importBundle(target.engine, files.origin, 'you')).toMatchObject({ created: true });
    expect(await verifyRun(target.engine, origin)).toMatchObject({ intact: true, checked: { receipts: 4 } });
    expect(await verifyRun(target.engine, runId)).toMatchObject({ intact: true });
    expect(await listReceipts(target.engine, runId)).toEqual(await listReceipts(source.engine, runId));
  });
});

test('R13 another run under the same id is a conflict, and nothing is changed', async () => {
  await using world = await onSqlite();
  await using there = await onSqlite();
  const [source, target] = [await world.start(), await there.start()];
  const runId = await finish(source, threeSteps.name);
  const file = join(world.data, 'bundle.json');
  await writeBundle(source.engine, runId, file);
  await importBundle(target.engine, file, 'you');
  const database = new DatabaseSync(there.databasePath);
  database.exec('DROP TRIGGER run_event_update');
  database.prepare("UPDATE run_event SET digest = ? WHERE type = 'run.succeeded'").run(chainStart);
  database.close();
  await expect(importBundle(target.engine, file, 'you')).rejects.toMatchObject({ code: 'import_conflict' });
});

test('R13 no receipt is put under a run that is here, and nothing is changed', async () => {
  await using world = await onSqlite();
  await using there = await onSqlite();
  const [source, target] = [await world.start(), await there.start()];
  const origin = await finish(source, approvedButBad.name);
  const file = join(world.data, 'bundle.json');
  await writeBundle(source.engine, origin, file);
  await importBundle(target.engine, file, 'you');
  await requestRun(source.engine, origin, { kind: 'approve', step: 'ship', comment: null }, { actor: 'you' });
  await (await source.runs.resume(origin, { actor: 'me' })).outcome;
  const retried = await source.runs.retryFailed(origin, { actor: 'me', reason: 'again' });
  await retried.outcome;
  const runId = parseId('run', retried.runId);
  await writeBundle(source.engine, runId, file);
  await expect(importBundle(target.engine, file, 'you')).rejects.toMatchObject({ code: 'import_conflict' });
  await expect(showRun(target.engine, runId)).rejects.toMatchObject({ code: 'run_not_found' });
  expect(await listReceipts(target.engine, origin)).toEqual([]);
  expect(await verifyRun(target.engine, origin)).toMatchObject({ intact: true });
});

test('R13 a bundle that is not intact is refused before anything of it is written', async () => {
  await using world = await onSqlite();
  await using there = await onSqlite();
  const [source, target] = [await world.start(), await there.start()];
  const runId = await finish(source, threeSteps.name);
  const file = join(world.data, 'bundle.json');
  await writeBundle(source.engine, runId, file);
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"seq":4', '"seq":5'));
  await expect(importBundle(target.engine, file, 'you')).rejects.toMatchObject({
    code: 'bundle_invalid',
    details: { where: 'event 4' },
  });
  await expect(showRun(target.engine, runId)).rejects.toMatchObject({ code: 'run_not_found' });
  // A bundle whose own digest was made again still cannot say of the run what its ledger does not.
  const bundle = await exportBundle(source.engine, runId);
  const lie = { ...bundle, run: { ...bundle.run, actor: 'somebody else' } };
  await writeFile(file, bundleText({ ...lie, digest: bundleDigest(lie) }));
  await expect(importBundle(target.engine, file, 'you')).rejects.toMatchObject({
    code: 'bundle_invalid',
    details: { where: 'run, member actor' },
  });
  const own = { ...bundle, sharedReceipts: bundle.receipts };
  await writeFile(file, bundleText({ ...own, digest: bundleDigest(own) }));
  await expect(importBundle(target.engine, file, 'you')).rejects.toMatchObject({
    code: 'bundle_invalid',
    details: { link: 'origin' },
  });
});
