import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { removeRuns } from '../../domain/runs/retention/remove-runs.ts';
import { dayInMicros } from '../../domain/runs/testing/aged-runs.ts';
import { openLiveRun } from '../../domain/runs/testing/live-run.ts';
import { systemClock } from '../../platform/clock/clock.ts';
import { openTestServer } from './testing/open-test-server.ts';

test('D25 every route of a removed run says 410 and that it was removed; one that never was is 404', async () => {
  await using server = await openTestServer({ workflows: [defineWorkflow('any', async () => null)] });
  const longAgo = { now: () => systemClock.now() - 40 * dayInMicros };
  const run = await openLiveRun({ engine: { ...server.process.engine, clock: longAgo } });
  await run.finish('failed');
  const path = `/v1/runs/${run.runId}`;
  expect((await server.ask('GET', path)).status).toBe(200);
  const limits = { runDays: 30, runCount: null, dryRun: false, blockers: [], actor: 'me' };
  expect(await removeRuns(server.process.engine, limits)).toMatchObject({ removed: 1 });
  const routes = [
    ['GET', ''],
    ['GET', '/steps'],
    ['GET', '/receipts/1'],
    ['GET', '/events?follow=false'],
    ['POST', '/cancel', {}],
    ['POST', '/pause', {}],
    ['POST', '/resume', {}],
    ['POST', '/resume', { retryFailed: { reason: 'again' } }],
    ['POST', '/approvals/ship', { approved: true }],
    ['POST', '/signals/go', { payload: 1 }],
  ] as const;
  const answers: unknown[] = [];
  for (const [method, rest, body] of routes) {
    const { status, json } = await server.ask(method, `${path}${rest}`, body === undefined ? {} : { body });
    answers.push([method, rest, status, json]);
  }
  const said = expect.objectContaining({
    code: 'run_removed',
    detail: expect.stringContaining('removed by retention'),
  });
  expect(answers).toEqual(routes.map(([method, rest]) => [method, rest, 410, said]));
  expect(await server.ask('GET', '/v1/runs/run-20200101-000000-00000000')).toMatchObject({
    status: 404,
    json: { code: 'run_not_found' },
  });
  const list = await server.ask('GET', '/v1/runs');
  expect(list.json).toMatchObject({ runs: [] });
});
