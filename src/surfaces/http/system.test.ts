import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { capabilitiesSchema, readinessSchema } from '../../contract/api/system.ts';
import { openTestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

describe.each(bothStores)('what the daemon says of itself on %s', (name, where) => {
  test('D20 health, readiness, capabilities and metrics say what is true, the store in use included', async () => {
    const state = { ready: true, draining: false };
    await using server = await openTestServer({
      ...(await where()),
      works: false,
      parts: () => ({
        readiness: async () => ({
          ready: state.ready,
          dependencies: [{ name: 'store', ready: state.ready, reason: state.ready ? null : 'it does not answer' }],
        }),
        worker: () => ({ held: 3, draining: state.draining }),
      }),
    });
    const health = await server.ask('GET', '/healthz', { as: null });
    expect([health.status, health.json]).toEqual([200, { status: 'ok', version: '0.0.0-test' }]);
    await server.ask('POST', '/v1/runs', { body: { tool: 'echo' } });

    const ready = async () => {
      const answer = await server.ask('GET', '/readyz', { as: null });
      return [answer.status, readinessSchema.parse(answer.json)] as const;
    };
    expect(await ready()).toMatchObject([200, { ready: true }]);
    state.ready = false;
    expect(await ready()).toMatchObject([
      503,
      { ready: false, dependencies: [{ name: 'store', ready: false, reason: 'it does not answer' }, { ready: true }] },
    ]);
    Object.assign(state, { ready: true, draining: true });
    expect(await ready()).toMatchObject([503, { dependencies: [{ name: 'store', ready: true }, { ready: false }] }]);

    const engine = name === 'SQLite' ? 'sqlite' : 'postgres';
    const capabilities = capabilitiesSchema.parse((await server.ask('GET', '/v1/capabilities')).json);
    expect(capabilities).toMatchObject({
      version: '0.0.0-test',
      store: { engine },
      node: process.versions.node,
      tools: 1,
      workflows: [{ name: 'tool' }],
      limits: { bodyBytes: server.parts.configuration.daemon.bodyBytes },
      queue: { queued: 1, running: 0, parked: 0 },
    });

    await server.ask('GET', '/nothing', { as: null });
    const metrics = await server.ask('GET', '/metrics', { as: 'operator' });
    expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = metrics.text.split('\n');
    expect(lines.at(-1)).toBe('');
    for (const line of lines.slice(0, -1)) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+)$/);
    }
    const submits = 'waybill_http_request_duration_seconds_count{route="/v1/runs",method="POST",status="201"} 1';
    const unknown = 'waybill_http_request_duration_seconds_count{route="(none)",method="GET",status="404"} 1';
    for (const line of ['waybill_held_runs 3', 'waybill_queue_runs{place="queued"} 1', submits, unknown]) {
      expect(lines).toContain(line);
    }
    expect(metrics.text).toMatch(new RegExp(`waybill_build_info\\{version="0.0.0-test",store="${engine}"`));
  });
});

test('the page of the documentation runs exactly its own scripts, and says what its document says', async () => {
  await using server = await openTestServer();
  const page = await server.ask('GET', '/docs', { as: null });
  expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  const policy = String(page.headers['content-security-policy']);
  const scripts = [...page.text.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script]) => script ?? '');
  expect(scripts).toHaveLength(2);
  for (const script of scripts) {
    expect(policy).toContain(`'sha256-${createHash('sha256').update(script).digest('base64')}'`);
    expect(() => new Script(script)).not.toThrow();
  }
  expect(policy).not.toMatch(/unsafe|\*/);
  expect(page.text).not.toMatch(/(src|href)="https?:/);
  const document = await server.ask('GET', '/openapi.json', { as: null });
  expect(document.json).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
});

test('F7 F8 a request is one tree, a branch of the trace it names; what cannot be used is replaced', async () => {
  await using server = await openTestServer();
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const answer = await server.ask('POST', '/v1/runs?waitMs=20000', {
    body: { tool: 'echo' },
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  });
  await expect
    .poll(() => server.spans.filter(({ name }) => name === 'POST /v1/runs'))
    .toMatchObject([
      { correlationId: traceId, parentSpanId: '00f067aa0ba902b7', component: 'api', outcome: 'succeeded' },
    ]);
  const ours = server.spans.find(({ name }) => name === 'POST /v1/runs');
  expect(answer.headers.traceparent).toBe(`00-${traceId}-${ours?.spanId}-01`);
  const run = server.spans.find(({ name }) => name === 'run tool');
  expect(run).toMatchObject({ correlationId: traceId, parentSpanId: ours?.spanId });

  for (const traceparent of ['nonsense', '0'.repeat(5_000), `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
    const replaced = await server.ask('GET', '/v1/tools', { headers: { traceparent } });
    const [, correlationId] = String(replaced.headers.traceparent).split('-');
    expect(correlationId).toMatch(/^[0-9a-f]{32}$/);
    await expect
      .poll(() => server.spans.find((span) => span.correlationId === correlationId))
      .toMatchObject({
        parentSpanId: null,
        note: expect.stringMatching(/^inbound traceparent (malformed|oversized)$/),
      });
  }
});
