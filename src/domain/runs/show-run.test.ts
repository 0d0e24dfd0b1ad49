import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../test/postgres/test-database.ts';
import { defineWorkflow } from '../../contract/define.ts';
import { runStateSchema } from '../../contract/evidence.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { JsonObject } from '../../contract/json.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { openPostgresStore } from '../../platform/store/postgres/open.ts';
import { listRuns } from './list-runs.ts';
import { listReceipts, showReceipt, showRun } from './show-run.ts';
import { openTestWorld, runTables, type TestProcess } from './testing/engine.ts';
import { approving, failing, failingTwice, testWorkflows, threeSteps } from './testing/workflows.ts';
import { taskWorkflow } from './workflows/task.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

async function pass(process: TestProcess, workflow: string, tasks: readonly string[] = []): Promise<RunId> {
  const { runId, outcome } = await process.runs.start({ workflow, input: null, tasks, actor: 'local:1' });
  await outcome;
  return parseId('run', runId);
}

test('R36 a finished run says what ran, how it ended and where it came from, and fits its schema', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await pass(process, threeSteps.name, ['T-1']);
  const state = await showRun(process.engine, runId);
  expect(runStateSchema.parse(state)).toEqual(state);
  expect(state).toMatchObject({
    runId,
    workflow: 'three-steps',
    task: 'T-1',
    tasks: ['T-1'],
    state: 'succeeded',
    interrupted: false,
    resume: null,
    currentStep: null,
    pending: [],
    snapshot: null,
    lastSeq: 8,
    terminalEvent: { seq: 8, type: 'run.succeeded' },
    reason: null,
    output: { sum: 2 },
    steps: 3,
    holder: null,
    actor: 'local:1',
    origin: null,
    sharedBy: [],
    provenance: { workflow: { name: 'three-steps' }, versions: { waybill: 'test' }, containment: { how: 'contained' } },
  });
  expect(state.createdAt <= (state.finishedAt ?? '')).toBe(true);
  const failed = await showRun(process.engine, await pass(process, failing.name));
  expect(failed).toMatchObject({
    state: 'failed',
    reason: { code: 'step_failed' },
    terminalEvent: { type: 'run.failed' },
  });
});

test('R36 a running task says its place in the loop, its command and its holder; when the holder is gone it is interrupted', async () => {
  const asked = Promise.withResolvers<void>();
  const agents = {
    builder: async () => ({ outputs: { tests: { passed: 3, failed: 0, failures: [] } }, artifacts: [] }),
    reviewer: async () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
    keeper: async () => ({ outputs: {}, artifacts: [] }),
  };
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents });
  await writeFile(join(world.root, 'a.txt'), 'hello');
  const [worker, reader] = [await world.start(), await world.start()];
  const { runId } = await worker.runs.start({ workflow: 'task', input: taskInput, tasks: ['T-1'], actor: 'local:1' });
  await asked.promise;
  const running = await showRun(reader.engine, parseId('run', runId));
  expect(runStateSchema.parse(running)).toEqual(running);
  expect(running).toMatchObject({
    state: 'running',
    interrupted: false,
    steps: 1,
    currentStep: { name: 'review', stage: 'review', attempt: 1, waitingFor: null },
    pending: [{ action: 'review', attempt: 1, idempotencyKey: running.currentStep?.idempotencyKey }],
    holder: { pid: process.pid, host: 'test-host', alive: true },
    terminalEvent: null,
  });
  expect(running.snapshot?.digest).toMatch(/^sha256:/);
  worker.die();
  const left = await showRun(reader.engine, parseId('run', runId));
  expect(left).toMatchObject({
    state: 'running',
    interrupted: true,
    resume: `waybill resume ${runId}`,
    holder: { alive: false },
  });
});

const taskInput: JsonObject = {
  tasks: [{ id: 'T-1', title: 'A task', goal: 'Do it.', inputs: {}, expectedOutputs: [], checks: [] }],
  roles: { builder: 'builder', reviewer: 'reviewer', specMaintainer: 'keeper' },
  maxIterations: 3,
  allowedFailures: [],
};

test('R36 a waiting run says what it waits for, and is not interrupted', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const state = await showRun(process.engine, await pass(process, approving.name));
  expect(state).toMatchObject({
    state: 'waiting',
    interrupted: false,
    resume: null,
    holder: null,
    currentStep: { name: 'ship', stage: 'approval', waitingFor: 'approval' },
  });
});

test('R18 R15 both ends of a link show it, and the receipts that are shared', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const origin = await pass(process, failingTwice.name);
  const retried = await process.runs.retryFailed(origin, { actor: 'me', reason: 'the network is back' });
  await retried.outcome;
  const runId = parseId('run', retried.runId);
  expect(await showRun(process.engine, runId)).toMatchObject({
    origin: { runId: origin, kind: 'retry', from: null, reason: 'the network is back' },
  });
  expect(await showRun(process.engine, origin)).toMatchObject({ sharedBy: [{ runId, kind: 'retry' }] });
  const receipts = await listReceipts(process.engine, runId);
  expect(receipts.map(({ shared, receipt }) => [shared, receipt.runId === origin, receipt.number])).toEqual([
    [true, true, 1],
    [true, true, 3],
    [false, false, 1],
    [false, false, 2],
  ]);
});

test('R9 receipts are listed by number with the digest of their text, one by one too; what is not there is told', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const runId = await pass(process, failingTwice.name);
  const listed = await listReceipts(process.engine, runId);
  expect(listed.map(({ receipt }) => [receipt.number, receipt.step.name, receipt.outcome])).toEqual([
    [1, 'one', 'succeeded'],
    [2, 'optional', 'failed'],
    [3, 'three', 'succeeded'],
    [4, 'bad', 'failed'],
  ]);
  for (const each of listed) {
    expect(await showReceipt(process.engine, runId, each.receipt.number)).toEqual(each);
    expect(digestOf(JSON.stringify(each.receipt)).length).toBe(each.digest.length);
  }
  await expect(showReceipt(process.engine, runId, 5)).rejects.toMatchObject({
    code: 'receipt_not_found',
    message: expect.stringContaining('it has 1 to 4'),
  });
  const unknown = parseId('run', 'run-20260101-000000-00000000');
  for (const look of [
    showRun(process.engine, unknown),
    showReceipt(process.engine, unknown, 1),
    listReceipts(process.engine, unknown),
  ]) {
    await expect(look).rejects.toMatchObject({ code: 'run_not_found' });
  }
});

describe.each(['SQLite', 'PostgreSQL'])('on %s', (name) => {
  const open = () =>
    openTestWorld({
      workflows: [...testWorkflows, defineWorkflow('other', { snapshot: 'none' }, async () => 1)],
      ...(name === 'SQLite'
        ? {}
        : {
            openStore: () =>
              openPostgresStore({ connection: database.connection, migrations: runTables(), poolSize: 4 }),
          }),
    });

  test('R36 the list of runs is newest first, filtered, and the same in pages of any size', async () => {
    await using world = await open();
    const process = await world.start();
    const ids: string[] = [];
    for (const [workflow, tasks] of [
      ['other', ['T-1']],
      ['failing', ['T-10', 'T-2']],
      ['other', []],
      ['approving', ['T-2']],
      ['other', ['T-1', 'T-2']],
    ] as const) {
      ids.unshift(await pass(process, workflow, tasks));
    }
    const list = async (filter: Omit<Parameters<typeof listRuns>[1], 'limit'>) =>
      (await listRuns(process.engine, { limit: 100, ...filter })).runs.map(({ runId }) => ids.indexOf(runId));
    expect(await list({})).toEqual([0, 1, 2, 3, 4]);
    expect(await list({ states: ['failed', 'waiting'] })).toEqual([1, 3]);
    expect(await list({ workflow: 'other' })).toEqual([0, 2, 4]);
    expect(await list({ task: 'T-1' })).toEqual([0, 4]);
    expect(await list({ task: 'T-2', workflow: 'other' })).toEqual([0]);
    expect(await list({ task: 'T' })).toEqual([]);
    const all = (await listRuns(process.engine, { limit: 100 })).runs;
    for (const run of all) expect(await showRun(process.engine, parseId('run', run.runId))).toEqual(run);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), async (limit) => {
        const gathered: unknown[] = [];
        for (let cursor: string | null = null; ; ) {
          const page = await listRuns(process.engine, { limit, cursor });
          expect(page.runs.length).toBeLessThanOrEqual(limit);
          gathered.push(...page.runs);
          cursor = page.nextCursor;
          if (cursor === null) break;
        }
        expect(gathered).toEqual(all);
      }),
      { numRuns: 6 },
    );
  });
});

test('R36 a list with a limit or a cursor that is none is refused', async () => {
  await using world = await openTestWorld();
  const { engine } = await world.start();
  expect(await listRuns(engine, { limit: 1 })).toEqual({ runs: [], nextCursor: null });
  for (const filter of [{ limit: 0 }, { limit: 1_001 }, { limit: Number.NaN }, { limit: 1, cursor: "' OR 1" }]) {
    await expect(listRuns(engine, filter)).rejects.toMatchObject({ code: 'invalid_argument' });
  }
});
