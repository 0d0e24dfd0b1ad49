import { expect, test } from 'vitest';
import { madeTokenSchema, tokenListSchema, tokenSchema } from '../../contract/api/tokens.ts';
import { openLiveRun } from '../../domain/runs/testing/live-run.ts';
import { ask as openStream, parseLines } from './events/fixtures/event-client.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

async function make(server: TestServer, body: object) {
  const answer = await server.ask('POST', '/v1/tokens', { as: 'admin', body });
  expect(answer.status, answer.text).toBe(201);
  const made = madeTokenSchema.parse(answer.json);
  const headers = { authorization: `Bearer ${made.token}` };
  const status = async (method: string, path: string) => (await server.ask(method, path, { as: null, headers })).status;
  return { made, headers, status };
}

test('G20 a changed role counts from the next request on, and the answer and the list say what is left', async () => {
  await using server = await openTestServer({ works: false });
  const { made, status } = await make(server, { name: 'ci', role: 'runner' });
  const path = `/v1/tokens/${made.id}/roles`;
  expect([await status('GET', '/v1/runs'), await status('GET', '/v1/tokens')]).toEqual([200, 403]);
  const change = async (body: object) =>
    tokenSchema.parse((await server.ask('PATCH', path, { as: 'admin', body })).json);
  expect(await change({ role: 'auditor' })).toMatchObject({ id: made.id, role: 'auditor', repos: [] });
  expect([await status('GET', '/v1/runs'), await status('GET', '/v1/tokens')]).toEqual([200, 200]);
  const repos = [{ repo: 'local', role: 'publish' }];
  expect(await change({ role: null, repos })).toMatchObject({ role: null, repos });
  expect([await status('GET', '/v1/runs'), await status('GET', '/v1/capabilities')]).toEqual([403, 200]);
  const listed = tokenListSchema.parse((await server.ask('GET', '/v1/tokens', { as: 'auditor' })).json).tokens;
  expect(listed.find(({ id }) => id === made.id)).toMatchObject({ role: null, repos });
  for (const [body, code] of [
    [{ repos: [{ repo: 'local', role: null }] }, 'invalid_input'],
    [{ role: 'owner' }, 'invalid_input'],
    [{ repos: [{ repo: 'nowhere', role: 'read' }] }, 'repo_not_found'],
  ] as const) {
    expect((await server.ask('PATCH', path, { as: 'admin', body })).json).toMatchObject({ code });
  }
  expect((await server.ask('DELETE', `/v1/tokens/${made.id}`, { as: 'admin' })).status).toBe(200);
  expect((await server.ask('PATCH', path, { as: 'admin', body: { repos } })).json).toMatchObject({
    status: 409,
    code: 'invalid_transition',
  });
});

test('G21 a token is shown in the one answer that makes it, opens until it expires, and then nothing, also no stream', async () => {
  await using server = await openTestServer({ configuration: { daemon: { heartbeatMs: 1_000 } } });
  const live = await openLiveRun(server.process);
  const expiresAt = new Date(Date.now() + 2_500).toISOString();
  const { made, headers, status } = await make(server, { name: 'brief', role: 'auditor', expiresAt });
  expect(made.expiresAt).toBe(expiresAt);
  const stream = await openStream(`${server.server.url}/v1/runs/${live.runId}/events?follow=true`, { headers });
  expect(await status('GET', '/v1/tokens')).toBe(200);
  for (const path of ['/v1/tokens', '/v1/capabilities']) {
    expect((await server.ask('GET', path, { as: 'admin' })).text).not.toContain(made.token);
  }
  await expect.poll(() => status('GET', '/v1/tokens'), { timeout: 10_000 }).toBe(401);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  const last = JSON.parse(parseLines(await stream.ended).at(-1) ?? '');
  expect(last).toMatchObject({ schema: 'waybill.stream-end.v1', why: 'error', code: 'unauthorized' });
  const again = { name: 'late', role: 'runner', expiresAt };
  expect((await server.ask('POST', '/v1/tokens', { as: 'admin', body: again })).json).toMatchObject({
    code: 'invalid_input',
    issues: [{ path: 'expiresAt', message: 'must be a time to come' }],
  });
  await live.finish();
});

test('G20 a stream ends when its token may no longer follow runs', async () => {
  await using server = await openTestServer({ configuration: { daemon: { heartbeatMs: 1_000 } } });
  const live = await openLiveRun(server.process);
  const { made, headers } = await make(server, { name: 'ci', role: 'runner' });
  const stream = await openStream(`${server.server.url}/v1/runs/${live.runId}/events?follow=true`, { headers });
  const body = { role: null, repos: [{ repo: 'local', role: 'admin' }] };
  await server.ask('PATCH', `/v1/tokens/${made.id}/roles`, { as: 'admin', body });
  const last = JSON.parse(parseLines(await stream.ended).at(-1) ?? '');
  expect(last).toMatchObject({ schema: 'waybill.stream-end.v1', why: 'error', code: 'forbidden' });
  await live.finish();
});
