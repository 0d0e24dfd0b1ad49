import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import {
  requestAnswerSchema,
  runAnswerSchema,
  runDetailSchema,
  runListSchema,
  stepListSchema,
} from '../../contract/api/runs.ts';
import { defineWorkflow } from '../../contract/define.ts';
import { receiptSchema } from '../../contract/evidence.ts';
import { claimRuns } from '../../domain/runs/queue/claim-runs.ts';
import { type Answer, openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

const release = defineWorkflow('release', { snapshot: 'none' }, async (run) => {
  await run.step('build', {}, () => 'built');
  await Promise.all([1, 2].map((part) => run.step('check', { part }, () => part)));
  const { approved } = await run.approval('ship', { prompt: 'Ship it?' });
  const where = await run.signal('where');
  return { approved, where };
});
const fragile = { times: 0 };
const breaks = defineWorkflow('breaks', { snapshot: 'none' }, async (run) => {
  const good = await run.step('good', {}, () => {
    fragile.times++;
    return 1;
  });
  return await run.step('bad', { good }, () => {
    throw new Error('always');
  });
});

describe.each(bothStores)('the routes of a run on %s', (_, where) => {
  const open = async () => openTestServer({ workflows: [release, breaks], ...(await where()) });

  test('a run is approved and signaled over HTTP, and its steps and receipts are shown with times in milliseconds', async () => {
    await using server = await open();
    const { runId } = runOf(await server.ask('POST', '/v1/runs', { body: { workflow: 'release' } }));
    const detail = async () => runDetailSchema.parse((await server.ask('GET', `/v1/runs/${runId}`)).json);
    await expect.poll(async () => (await detail()).state, { timeout: 20_000 }).toBe('waiting');
    expect(await detail()).toMatchObject({
      currentStep: { name: 'ship', waitingFor: 'approval' },
      queue: { parked: null },
    });

    const first = stepListSchema.parse((await server.ask('GET', `/v1/runs/${runId}/steps?limit=2`)).json);
    expect(first.steps.map(({ name, state }) => [name, state])).toEqual([
      ['build', 'succeeded'],
      ['check', 'succeeded'],
    ]);
    const rest = await server.ask('GET', `/v1/runs/${runId}/steps?cursor=${first.nextCursor}`);
    expect(stepListSchema.parse(rest.json)).toMatchObject({
      steps: [
        { name: 'check', number: 3 },
        { name: 'ship', number: null, state: 'waiting', waitingFor: 'approval', finishedAt: null },
      ],
      nextCursor: null,
    });
    expect(problemOf(await server.ask('GET', `/v1/runs/${runId}/steps?cursor=x`)).code).toBe('invalid_argument');

    const receipts = `/v1/runs/${runId}/receipts`;
    expect(receiptSchema.parse((await server.ask('GET', `${receipts}/build`)).json)).toMatchObject({ number: 1 });
    const third = await server.ask('GET', `${receipts}/3`);
    expect(receiptSchema.parse(third.json).step.name).toBe('check');
    expect(third.text.match(/\.\d+Z/g)?.every((part) => part.length === 5)).toBe(true);
    expect(problemOf(await server.ask('GET', `${receipts}/check`))).toMatchObject({
      status: 404,
      code: 'receipt_not_found',
    });
    expect(problemOf(await server.ask('GET', `${receipts}/9`))).toMatchObject({
      status: 404,
      code: 'receipt_not_found',
    });

    const approvals = `/v1/runs/${runId}/approvals`;
    expect(problemOf(await server.ask('POST', `${approvals}/other`, { body: { approved: true } }))).toMatchObject({
      status: 409,
      code: 'run_not_waiting',
    });
    expect(problemOf(await server.ask('POST', `${approvals}/ship`, { body: {} })).issues).toMatchObject([
      { path: 'body.approved' },
    ]);
    const approved = await server.ask('POST', `${approvals}/ship`, { body: { approved: true, comment: 'go' } });
    expect(requestAnswerSchema.parse(approved.json)).toMatchObject({ outcome: 'done', by: 'requester' });
    const signal = { body: { payload: { region: 'eu' } }, headers: { 'idempotency-key': 'one' } };
    const signaled = await server.ask('POST', `/v1/runs/${runId}/signals/where`, signal);
    expect(requestAnswerSchema.parse(signaled.json).outcome).toBe('kept');
    expect((await server.ask('POST', `/v1/runs/${runId}/signals/where`, signal)).status).toBe(200);

    await work(server);
    const ended = runDetailSchema.parse((await server.ask('GET', `/v1/runs/${runId}?waitMs=20000`)).json);
    expect(ended).toMatchObject({
      state: 'succeeded',
      output: { approved: true, where: { region: 'eu' } },
      queue: null,
    });
    expect(ended.steps).toBe(5);
  });

  test('while the worker drains no work is taken, a retry and a resume included, and all else is answered', async () => {
    const worker = { held: 0, draining: false };
    await using server = await openTestServer({
      workflows: [release, breaks],
      ...(await where()),
      parts: () => ({ worker: () => worker }),
    });
    const failed = runOf(await server.ask('POST', '/v1/runs?waitMs=20000', { body: { workflow: 'breaks' } }));
    const { runId } = runOf(await server.ask('POST', '/v1/runs?waitMs=50', { body: { workflow: 'release' } }));
    worker.draining = true;
    const refused = [
      await server.ask('POST', '/v1/runs', { body: { workflow: 'release' } }),
      await server.ask('POST', `/v1/runs/${failed.runId}/resume`, { body: { retryFailed: { reason: 'again' } } }),
      await server.ask('POST', `/v1/runs/${runId}/resume`, { body: {} }),
    ];
    for (const answer of refused) {
      expect(problemOf(answer)).toMatchObject({ status: 503, code: 'draining' });
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    const { json } = await server.ask('GET', '/v1/runs');
    expect(runListSchema.parse(json).runs.map((run) => run.runId)).toEqual([runId, failed.runId].sort().reverse());
    expect((await server.ask('GET', `/v1/runs/${runId}`)).status).toBe(200);
    expect((await server.ask('POST', `/v1/runs/${runId}/cancel`, { body: {} })).status).toBe(200);
  });

  test('a failed run is retried as a new one that shares its good receipts; a finished one is not gone on with', async () => {
    await using server = await open();
    fragile.times = 0;
    const failed = runOf(await server.ask('POST', '/v1/runs?waitMs=20000', { body: { workflow: 'breaks' } }));
    expect(failed).toMatchObject({ state: 'failed' });
    const resume = (body: unknown, headers: Record<string, string> = {}) =>
      server.ask('POST', `/v1/runs/${failed.runId}/resume`, { body, headers });
    expect(problemOf(await resume({}))).toMatchObject({ status: 409, code: 'invalid_transition' });
    expect(problemOf(await resume({ retryFailed: {} })).issues).toMatchObject([{ path: 'body.retryFailed.reason' }]);

    const retry = { retryFailed: { reason: 'the network was down' } };
    const first = await resume(retry, { 'idempotency-key': 'r1' });
    const { runId } = runOf(first);
    expect([first.status, first.headers.location]).toEqual([201, `/v1/runs/${runId}`]);
    const again = await resume(retry, { 'idempotency-key': 'r1' });
    expect([again.status, again.headers['idempotency-replayed'], runOf(again).runId]).toEqual([200, 'true', runId]);
    await work(server);
    const retried = runDetailSchema.parse((await server.ask('GET', `/v1/runs/${runId}?waitMs=20000`)).json);
    expect(retried).toMatchObject({
      state: 'failed',
      origin: { runId: failed.runId, kind: 'retry', reason: 'the network was down' },
    });
    expect(fragile.times).toBe(1);
    const steps = stepListSchema.parse((await server.ask('GET', `/v1/runs/${runId}/steps`)).json);
    expect(steps.steps.map(({ name, shared, state }) => [name, shared, state])).toEqual([
      ['good', true, 'succeeded'],
      ['bad', false, 'failed'],
    ]);
  });
});

/** What the worker does: takes what is ready, and works on it to its end. */
async function work({ process: { engine, runs } }: TestServer): Promise<void> {
  for (const claimed of await claimRuns(engine, { most: 10, tools: new Map() })) {
    const { outcome } = await runs.work(claimed);
    await outcome;
  }
}

function runOf({ json }: Answer) {
  return runAnswerSchema.parse(json);
}

function problemOf({ json }: Answer) {
  return problemSchema.parse(json);
}
