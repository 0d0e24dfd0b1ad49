import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { auditListSchema } from '../../contract/api/audit.ts';
import { deliveryListSchema, madeWebhookSchema } from '../../contract/api/webhooks.ts';
import { WaybillError } from '../../contract/errors.ts';
import { claimDeliveries } from '../../domain/workspace/webhooks/claim-deliveries.ts';
import { deliver } from '../../domain/workspace/webhooks/deliver.ts';
import { handOver } from '../../domain/workspace/webhooks/hand-over.ts';
import { formatTime } from '../../platform/clock/clock.ts';
import { outboxStatement } from '../../platform/journal/outbox.ts';
import { sealAudit } from '../../platform/journal/seal-audit.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

async function audit(daemon: TestServer, query = '') {
  const answer = await daemon.ask('GET', `/v1/audit${query}`, { as: 'auditor' });
  expect(answer.status).toBe(200);
  return auditListSchema.parse(answer.json);
}

describe.each(bothStores)('the audit and webhooks over HTTP on %s', (_engine, open) => {
  test('G19 an auditor lists who did what, filtered and page by page; others are refused', async () => {
    await using daemon = await openTestServer(await open());
    const { clock, store } = daemon.process.engine;
    const before = clock.now();
    for (const key of ['one', 'two', 'three']) {
      await daemon.ask('POST', '/v1/repos', { as: 'admin', body: { key } });
    }
    const made = await audit(daemon, '?action=repo.made');
    expect(made.records.map(({ resource }) => resource)).toEqual(['three', 'two', 'one']);
    expect(made.records[0]).toMatchObject({
      actor: 'token:the-admin',
      outcome: 'succeeded',
      correlationId: expect.stringMatching(/^[0-9a-f]{32}$/),
      position: null,
    });
    await sealAudit(store);
    expect((await audit(daemon, '?resource=two')).records).toMatchObject([{ position: expect.any(Number) }]);
    expect((await audit(daemon, '?resourcePrefix=t&action=repo.made')).records).toHaveLength(2);
    const since = encodeURIComponent(formatTime(before));
    expect((await audit(daemon, `?since=${since}&actor=token:the-admin`)).records).toHaveLength(3);
    expect((await audit(daemon, `?until=${since}&action=repo.made`)).records).toHaveLength(0);
    const first = await audit(daemon, '?action=repo.made&limit=2');
    const second = await audit(daemon, `?action=repo.made&limit=2&cursor=${first.nextCursor}`);
    expect([...first.records, ...second.records]).toHaveLength(3);
    expect(second.nextCursor).toBeNull();
    for (const wrong of ['?action=nonsense', '?since=yesterday', '?limit=201', '?cursor=x', '?nobody=x']) {
      expect((await daemon.ask('GET', `/v1/audit${wrong}`, { as: 'auditor' })).status, wrong).toBe(400);
    }
    const refused = await daemon.ask('GET', '/v1/audit', { as: 'runner' });
    expect(refused.status).toBe(403);
    const [record] = (await audit(daemon, '?outcome=refused')).records;
    expect(record).toMatchObject({ action: 'request.refused', actor: 'token:the-runner', reason: 'forbidden' });
  });

  test('G18 webhooks are made, listed, watched, redelivered and removed by an admin only', async () => {
    await using daemon = await openTestServer({
      ...(await open()),
      parts: ({ webhooks }) => ({
        webhooks: {
          ...webhooks,
          settings: { ...webhooks.settings, maxAttempts: 1 },
          port: {
            check: async (url) => {
              if (url.includes('10.0.0.1')) throw new WaybillError('webhook_refused', 'it is private');
              return new URL(url).href;
            },
            send: async () => ({ how: 'answered', status: 500, retryAfterMs: null }),
          },
        },
      }),
    });
    const { webhooks } = daemon.parts;
    const body = { url: 'https://ci.example.com/hooks', types: ['dev.waybill.version.published'] };
    const answer = await daemon.ask('POST', '/v1/webhooks', { as: 'admin', body });
    expect(answer.status).toBe(201);
    const made = madeWebhookSchema.parse(answer.json);
    expect(Buffer.from(made.secret.slice(6), 'base64')).toHaveLength(32);
    const code = async (method: string, path: string, as: 'admin' | 'auditor', sent?: object) => {
      const asked = await daemon.ask(method, path, { as, ...(sent === undefined ? {} : { body: sent }) });
      return [asked.status, z.object({ code: z.string() }).safeParse(asked.json).data?.code];
    };
    expect(await code('POST', '/v1/webhooks', 'admin', body)).toEqual([409, 'webhook_exists']);
    expect(await code('POST', '/v1/webhooks', 'admin', { url: 'http://10.0.0.1/' })).toEqual([400, 'webhook_refused']);
    expect(await code('POST', '/v1/webhooks', 'admin', { ...body, types: ['Not a type'] })).toEqual([
      400,
      'invalid_input',
    ]);
    expect(await code('POST', '/v1/webhooks', 'auditor', body)).toEqual([403, 'forbidden']);
    const event = {
      aggregate: 'thing',
      seq: 1,
      type: 'dev.waybill.version.published',
      payload: {},
      at: webhooks.clock.now(),
    };
    await webhooks.store.submit({ statements: [outboxStatement([event, { ...event, seq: 2 }])] });
    await handOver(webhooks);
    for (const claimed of await claimDeliveries(webhooks, made.id, 4)) await deliver(webhooks, claimed, 'test');
    const path = `/v1/webhooks/${made.id}`;
    const list = await daemon.ask('GET', '/v1/webhooks', { as: 'admin' });
    expect(list.text).not.toContain(made.secret);
    expect(list.json).toMatchObject({
      webhooks: [{ id: made.id, signable: true, deliveries: { pending: 1, delivered: 0, dead: 1 } }],
    });
    const page = async (query: string) =>
      deliveryListSchema.parse((await daemon.ask('GET', `${path}/deliveries${query}`, { as: 'admin' })).json);
    expect((await page('?state=dead')).deliveries).toMatchObject([
      { id: 'thing-1', state: 'dead', attempts: 1, lastStatus: 500, nextTryAt: null },
    ]);
    const first = await page('?limit=1');
    expect(first.deliveries.map(({ id }) => id)).toEqual(['thing-2']);
    expect((await page(`?limit=1&cursor=${first.nextCursor}`)).deliveries.map(({ id }) => id)).toEqual(['thing-1']);
    const again = await daemon.ask('POST', `${path}/deliveries/thing-1/redeliver`, { as: 'admin' });
    expect([again.status, again.json]).toMatchObject([200, { id: 'thing-1', state: 'pending', attempts: 0 }]);
    expect(await code('POST', `${path}/deliveries/thing-9/redeliver`, 'admin')).toEqual([404, 'delivery_not_found']);
    expect((await daemon.ask('DELETE', path, { as: 'admin' })).json).toMatchObject({ id: made.id });
    expect(await code('DELETE', path, 'admin')).toEqual([404, 'webhook_not_found']);
    expect(await code('GET', `${path}/deliveries`, 'admin')).toEqual([404, 'webhook_not_found']);
    const records = (await audit(daemon, `?resource=${made.id}`)).records.map(({ action }) => action);
    expect(records).toEqual(['webhook.removed', 'delivery.redelivered', 'delivery.dead', 'webhook.made']);
  });
});
