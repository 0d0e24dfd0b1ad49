import { performance } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { openLiveRun } from '../../../domain/runs/testing/live-run.ts';
import { until } from '../../../domain/runs/testing/look.ts';
import type { Store } from '../../../platform/store/store.ts';
import { openTestServer, type TestServer } from '../testing/open-test-server.ts';
import { ask, parseLines } from './fixtures/event-client.ts';

/** The route in the real server: behind its guard, in its correlation tree, closed by it. */
async function follow(
  daemon: TestServer,
  runId: string,
  options: { readonly read?: boolean; readonly query?: string } = {},
) {
  const headers = { authorization: `Bearer ${await daemon.token('runner')}` };
  const url = `${daemon.server.url}/v1/runs/${runId}/events?follow=true${options.query ?? ''}`;
  return ask(url, { headers, ...(options.read === undefined ? {} : { read: options.read }) });
}

test('D26 a server that closes ends its streams with the reason, lets go of who reads at once and of who does not after the grace', async () => {
  await using daemon = await openTestServer();
  const live = await openLiveRun(daemon.process);
  const answer = await follow(daemon, live.runId);
  await until(async () => parseLines(answer.text()).length === 1);
  for (let count = 0; count < 12; count++) await live.say(...Array.from({ length: 18 }, () => 'x'.repeat(60_000)));
  const stuck = await follow(daemon, live.runId, { read: false });
  await until(async () => answer.text().length > 12 * 18 * 60_000);
  const began = performance.now();
  const closing = daemon.server.close(1_000).then(() => performance.now() - began);
  const last = JSON.parse(parseLines(await answer.ended).at(-1) ?? '');
  expect(last).toMatchObject({ schema: 'waybill.stream-end.v1', why: 'drain', cursor: live.head });
  expect(await closing).toBeGreaterThan(900);
  stuck.response.resume();
  await expect(stuck.ended).rejects.toThrow();
});

test('D14 D26 followers go on in another process of the workspace where the first one ended', async () => {
  await using daemon = await openTestServer();
  const live = await openLiveRun(daemon.process);
  await live.say('one', 'two', 'three');
  const first = await follow(daemon, live.runId);
  await until(async () => parseLines(first.text()).length === 4);
  await daemon.restart();
  expect(JSON.parse(parseLines(await first.ended).at(-1) ?? '')).toMatchObject({ why: 'drain', cursor: 4 });
  const runId = live.runId;
  const submitted = await daemon.ask('POST', `/v1/runs/${runId}/cancel`, { body: {} });
  expect(submitted.status).toBe(200);
  const second = await follow(daemon, runId, { query: '&since=4' });
  const lines = [...parseLines(first.text()).slice(0, -1), ...parseLines(await second.ended)].map((line) =>
    JSON.parse(line),
  );
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index + 1));
  expect(lines.at(-1)).toMatchObject({ type: 'run.canceled' });
});

test('D22 a stream ends when its token is revoked, also one whose client does not read, and no other one does', async () => {
  await using daemon = await openTestServer({ configuration: { daemon: { heartbeatMs: 1_000 } } });
  const live = await openLiveRun(daemon.process);
  const { token, id } = await daemon.parts.tokens.make({ name: 'ci', role: 'auditor' }, 'test');
  const url = `${daemon.server.url}/v1/runs/${live.runId}/events?follow=true`;
  const headers = { authorization: `Bearer ${token}` };
  const [other, quiet] = [await follow(daemon, live.runId), await ask(url, { headers })];
  await until(async () => parseLines(quiet.text()).length === 1);
  for (let count = 0; count < 12; count++) await live.say(...Array.from({ length: 18 }, () => 'x'.repeat(60_000)));
  const stuck = await ask(url, { headers, read: false });
  await daemon.parts.tokens.revoke(id, 'test');
  const last = JSON.parse(parseLines(await quiet.ended).at(-1) ?? '');
  expect(last).toMatchObject({ schema: 'waybill.stream-end.v1', why: 'error', code: 'unauthorized' });
  await live.say('never seen by who may not');
  let text = '';
  for await (const chunk of stuck.response.setEncoding('utf8')) text += chunk;
  expect(text).toContain('"code":"unauthorized"');
  expect(text).not.toContain('never seen');
  await live.finish();
  expect(JSON.parse(parseLines(await other.ended).at(-1) ?? '')).toMatchObject({ type: 'run.succeeded' });
}, 30_000);

test('events ask for a token, belong to the tree of their request, and a failure in the middle leaves one envelope', async () => {
  let broken = false;
  await using daemon = await openTestServer({
    parts: ({ engine }) => {
      const select: Store['select'] = async (sql, values) => {
        if (broken && sql.sqlite.includes('head_seq')) throw new Error('the disk is gone');
        return engine.store.select(sql, values);
      };
      return { engine: { ...engine, store: { ...engine.store, select } } };
    },
  });
  const live = await openLiveRun(daemon.process);
  const path = `/v1/runs/${live.runId}/events?follow=true`;
  expect((await daemon.ask('GET', path, { as: null })).status).toBe(401);
  expect(await daemon.ask('HEAD', path)).toMatchObject({ status: 405 });
  const answer = await follow(daemon, live.runId);
  expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', vary: 'accept' });
  const [, traceId] = String(answer.headers.traceparent).split('-');
  await until(async () => parseLines(answer.text()).length === 1);
  broken = true;
  await live.say('never seen');
  const end = JSON.parse(parseLines(await answer.ended).at(-1) ?? '');
  expect(end).toMatchObject({ why: 'error', code: 'internal', cursor: 1 });
  broken = false;
  const [, errorId = ''] = /(err_[0-9a-f]{32})/.exec(end.message) ?? [];
  expect(await daemon.errorStore.find(errorId)).toMatchObject({ correlationId: traceId, message: 'the disk is gone' });
  await until(async () => daemon.spans.some(({ name }) => name === 'GET /v1/runs/{runId}/events'));
});
