import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { cloudEventSchema } from '../src/contract/cloud-event.ts';
import { listDeliveries } from '../src/domain/workspace/webhooks/list-deliveries.ts';
import { makeWebhook } from '../src/domain/workspace/webhooks/make-webhook.ts';
import { redeliver, redeliverDead } from '../src/domain/workspace/webhooks/redeliver.ts';
import { removeWebhook } from '../src/domain/workspace/webhooks/remove-webhook.ts';
import { connectTo } from './postgres/start-postgres.ts';
import { eventually } from './support/eventually.ts';
import { openWebhookWorld, Receiver, type WebhookWorld } from './support/webhook-world.ts';

const engines = ['SQLite', 'PostgreSQL'] as const;
const seqsOf = (receiver: Receiver, aggregate: string) =>
  receiver.ids.filter((id) => id.startsWith(`${aggregate}-`)).map((id) => Number(id.slice(aggregate.length + 1)));
const once = (seqs: readonly number[]) => seqs.filter((seq, index) => seq !== seqs[index - 1]);
const until = (what: string, look: () => boolean | Promise<boolean>) =>
  eventually(what, async () => ((await look()) ? true : undefined), 20_000);
const delivered = (world: WebhookWorld, webhook: string, count: number) =>
  until(`${count} are delivered`, async () => {
    const states = await world.states(webhook);
    return states.length === count && states.every((state) => state.endsWith(' delivered'));
  });
const audits = ({ store }: WebhookWorld, action: string) =>
  store.read((tx) => tx.db.selectFrom('audit').selectAll().where('action', '=', action).orderBy('id').execute());

describe.each(engines)('webhooks on %s', (engine) => {
  test('G17 G18 an event comes signed after Standard Webhooks, as a CloudEvent, once and in order', async () => {
    await using world = await openWebhookWorld(engine);
    await using receiver = await Receiver.open();
    const { secret, id } = await world.make(receiver);
    await world.emit('package:pkg_1', 1, 2, 3);
    const report = await world.relay().once();
    expect(report).toMatchObject({ handedOver: 3, delivered: 3, failed: 0, dead: 0 });
    expect(receiver.ids).toEqual(['package:pkg_1-1', 'package:pkg_1-2', 'package:pkg_1-3']);
    const [first] = receiver.received;
    if (first === undefined) throw new Error('nothing came');
    expect(first.headers).toMatchObject({
      'content-type': 'application/cloudevents+json',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    });
    const headers = Object.fromEntries(Object.entries(first.headers).map(([name, value]) => [name, String(value)]));
    const event = cloudEventSchema.parse(new Webhook(secret).verify(first.body, headers));
    expect(event).toMatchObject({
      specversion: '1.0',
      id: 'package:pkg_1-1',
      source: 'urn:waybill:ws_test',
      type: 'dev.waybill.test.odd',
      subject: 'package:pkg_1',
      sequence: '0000000000000001',
      data: { aggregate: 'package:pkg_1', seq: 1, text: 'ä "quoted"\n' },
    });
    expect(() => new Webhook(secret).verify(`${first.body} `, headers)).toThrow();
    const other = await makeWebhook(world.webhooks, { url: `${receiver.url}/other`, types: [] }, 'test');
    expect(() => new Webhook(other.secret).verify(first.body, headers)).toThrow();
    expect(await world.states(id)).toEqual([
      'package:pkg_1-1 delivered',
      'package:pkg_1-2 delivered',
      'package:pkg_1-3 delivered',
    ]);
    expect(await world.relay().once()).toMatchObject({ handedOver: 0, delivered: 0 });
    expect(await world.states(other.id)).toEqual([]);
  });

  test('G18 a webhook is told of its types, from when it is made until it is removed; its secret is nowhere', async () => {
    await using world = await openWebhookWorld(engine);
    await using receiver = await Receiver.open();
    await world.emit('a', 1);
    const made = await world.make(receiver, ['dev.waybill.test.even']);
    await expect(world.make(receiver)).rejects.toMatchObject({ code: 'webhook_exists' });
    await expect(world.make({ url: 'http://10.0.0.1/' })).rejects.toMatchObject({ code: 'webhook_refused' });
    await world.emit('a', 2, 3, 4);
    await world.relay().once();
    expect(receiver.ids).toEqual(['a-2', 'a-4']);
    await world.emit('a', 6);
    await removeWebhook(world.webhooks, made.id, 'somebody');
    await world.relay().once();
    expect(receiver.ids).toEqual(['a-2', 'a-4']);
    await expect(removeWebhook(world.webhooks, made.id, 'x')).rejects.toMatchObject({ code: 'webhook_not_found' });
    expect(await audits(world, 'webhook.made')).toMatchObject([
      { actor: 'test', resource: made.id, outcome: 'succeeded' },
      { actor: 'test', outcome: 'refused', reason: expect.stringMatching(/^webhook_exists/) },
      { actor: 'test', outcome: 'refused', reason: expect.stringMatching(/^webhook_refused/) },
    ]);
    expect(await audits(world, 'webhook.removed')).toMatchObject([{ actor: 'somebody', resource: made.id }]);
    const rows = await world.store.read(async (tx) => [
      await tx.db.selectFrom('webhook').selectAll().execute(),
      await tx.db.selectFrom('audit').selectAll().execute(),
      await tx.db.selectFrom('outbox_delivery').selectAll().execute(),
    ]);
    expect(JSON.stringify(rows)).toContain(made.id);
    expect(JSON.stringify(rows)).not.toContain(made.secret.slice(6));
    const again = await world.make(receiver);
    expect(again.secret).not.toBe(made.secret);
  });

  test('G18 what fails is tried again, in order for each subject, and keeps no other subject waiting', async () => {
    await using world = await openWebhookWorld(engine, { maxAttempts: 10 });
    let refusals = 3;
    await using receiver = await Receiver.open(({ id }, response) => {
      const fails = id === 'slow-1' && refusals-- > 0;
      response.writeHead(fails ? 503 : 200).end('not read');
    });
    const { id } = await world.make(receiver);
    await world.emit('slow', 1, 2, 3);
    await world.emit('quick', 1, 2);
    world.relay().start();
    await delivered(world, id, 5);
    expect(seqsOf(receiver, 'slow')).toEqual([1, 1, 1, 1, 2, 3]);
    expect(seqsOf(receiver, 'quick')).toEqual([1, 2]);
    const bodies = receiver.received.filter((each) => each.id === 'slow-1').map(({ body }) => body);
    expect(new Set(bodies).size).toBe(1);
    const { deliveries } = await listDeliveries(world.webhooks, id, { state: 'delivered', limit: 50, cursor: null });
    expect(deliveries.find((each) => each.aggregate === 'slow' && each.aggregate_seq === 1)).toMatchObject({
      attempts: 4,
    });
  });

  test('G18 a poison event is dead after its tries, told in audit and report, and stops neither the next nor others', async () => {
    await using world = await openWebhookWorld(engine, { maxAttempts: 3 });
    let well = false;
    await using receiver = await Receiver.open(({ id }, response) => {
      response.writeHead(id === 'p-2' && !well ? 500 : 204).end();
    });
    const { id } = await world.make(receiver);
    await world.emit('p', 1, 2, 3);
    world.relay().start();
    await until('the next is delivered', async () => (await world.states(id)).includes('p-3 delivered'));
    expect(await world.states(id)).toEqual(['p-1 delivered', 'p-2 dead', 'p-3 delivered']);
    expect(seqsOf(receiver, 'p')).toEqual([1, 2, 2, 2, 3]);
    await until('it was reported', () => world.reported.length > 0);
    expect(world.reported).toMatchObject([{ code: 'delivery_failed', details: { event: 'p-2', attempts: 3 } }]);
    const [dead] = await audits(world, 'delivery.dead');
    expect(dead).toMatchObject({ actor: 'test:relay', resource: id, outcome: 'failed', reason: 'status 500' });
    well = true;
    await redeliver(world.webhooks, id, 'p-2', 'somebody');
    await until('it is delivered', async () => (await world.states(id)).includes('p-2 delivered'));
    expect(receiver.ids.at(-1)).toBe('p-2');
    expect(await audits(world, 'delivery.redelivered')).toMatchObject([
      { actor: 'somebody', resource: id, details: expect.stringContaining('p-2') },
    ]);
    await expect(redeliver(world.webhooks, id, 'p-9', 'x')).rejects.toMatchObject({ code: 'delivery_not_found' });
    await expect(redeliver(world.webhooks, id, 'nonsense', 'x')).rejects.toMatchObject({ code: 'delivery_not_found' });
    await expect(redeliver(world.webhooks, 'wh_0000000000000000', 'p-2', 'x')).rejects.toMatchObject({
      code: 'webhook_not_found',
    });
  });

  test('G18 410 is dead at once; an endpoint that hangs, breaks off or is not there keeps no other webhook waiting', async () => {
    await using world = await openWebhookWorld(engine, { maxAttempts: 2, timeoutMs: 300 });
    await using gone = await Receiver.open((_, response) => void response.writeHead(410).end());
    await using hangs = await Receiver.open(() => {});
    await using breaks = await Receiver.open((_, response) => void response.destroy());
    await using moved = await Receiver.open(
      (_, response) => void response.writeHead(307, { location: well.url }).end(),
    );
    await using well = await Receiver.open();
    const made = await Promise.all([gone, hangs, breaks, moved].map((receiver) => world.make(receiver)));
    const absent = await world.make({ url: 'http://127.0.0.1:1/' });
    const fine = await world.make(well);
    await world.emit('x', 1);
    world.relay().start();
    await until('the good one is delivered', async () => (await world.states(fine.id)).join() === 'x-1 delivered');
    for (const { id } of [...made, absent]) {
      await until('the others are dead', async () => (await world.states(id)).join() === 'x-1 dead');
    }
    expect([gone, hangs, breaks, moved, well].map(({ ids }) => ids.length)).toEqual([1, 2, 2, 2, 1]);
    const answers = await world.store.read((tx) =>
      tx.db.selectFrom('outbox_delivery').select(['webhook', 'last_status', 'last_error']).execute(),
    );
    const of = (webhook: string | undefined) => answers.find((each) => each.webhook === webhook);
    expect(of(made[0]?.id)).toMatchObject({ last_status: 410, last_error: null });
    expect(of(made[1]?.id)).toMatchObject({ last_status: null, last_error: 'timeout' });
    expect(of(made[2]?.id)).toMatchObject({ last_status: null, last_error: 'ECONNRESET' });
    expect(of(made[3]?.id)).toMatchObject({ last_status: 307 });
    expect(of(absent.id)).toMatchObject({ last_status: null, last_error: 'ECONNREFUSED' });
    const hung = made[1]?.id ?? '';
    expect(await redeliverDead(world.webhooks, hung, 'somebody')).toBe(1);
    await until(
      'it is dead again',
      async () => (await world.states(hung)).join() === 'x-1 dead' && hangs.ids.length === 4,
    );
  });

  test('G18 several relays share the work: every event comes once, in order', async () => {
    await using world = await openWebhookWorld(engine);
    await using receiver = await Receiver.open(
      (_, response) => void setTimeout(() => response.writeHead(200).end(), 3),
    );
    const { id } = await world.make(receiver);
    const relays = await Promise.all([1, 2, 3].map(async () => world.relay(await world.another())));
    for (const relay of relays) relay.start();
    for (let seq = 1; seq <= 12; seq++) {
      for (const aggregate of ['a', 'b', 'c']) await world.emit(aggregate, seq);
    }
    await delivered(world, id, 36);
    const wanted = Array.from({ length: 12 }, (_, index) => index + 1);
    for (const aggregate of ['a', 'b', 'c']) expect(seqsOf(receiver, aggregate)).toEqual(wanted);
  });

  test('G18 a relay that is killed in the middle of a delivery loses nothing and keeps the order', async () => {
    await using world = await openWebhookWorld(engine, { timeoutMs: 500 });
    let kills = 0;
    const relays: ChildProcess[] = [];
    await using receiver = await Receiver.open(({ id }, response) => {
      // The first tries of some are answered by the death of who asked.
      if (['k-2', 'k-4'].includes(id) && kills < 2 && receiver.ids.filter((each) => each === id).length === 1) {
        kills++;
        relays.at(-1)?.kill('SIGKILL');
        start();
        return;
      }
      response.writeHead(204).end();
    });
    const start = () => {
      const given = { place: world.place, key: Buffer.from(world.webhooks.key).toString('hex'), timeoutMs: 500 };
      const file = join(import.meta.dirname, 'support', 'fixtures', 'relay.ts');
      relays.push(spawn(process.execPath, [file, JSON.stringify(given)], { stdio: ['ignore', 'ignore', 'inherit'] }));
    };
    const { id } = await world.make(receiver);
    await world.emit('k', 1, 2, 3, 4, 5);
    start();
    try {
      await delivered(world, id, 5);
    } finally {
      for (const relay of relays) relay.kill('SIGKILL');
    }
    expect(kills).toBe(2);
    expect(seqsOf(receiver, 'k')).toEqual([1, 2, 2, 3, 4, 4, 5]);
    expect(once(seqsOf(receiver, 'k'))).toEqual([1, 2, 3, 4, 5]);
  }, 60_000);

  test('G18 a relay with another key sends nothing it would sign wrongly, and says so', async () => {
    await using world = await openWebhookWorld(engine);
    await using receiver = await Receiver.open();
    const { id } = await world.make(receiver);
    await world.emit('a', 1);
    const stranger = world.relay(await world.another({ key: new Uint8Array(32) }));
    expect(await stranger.once()).toMatchObject({ handedOver: 1, delivered: 0, notSignable: [id] });
    expect([receiver.ids, world.said.length]).toEqual([[], 1]);
    expect(await world.relay().once()).toMatchObject({ delivered: 1 });
  });

  test('G18 a relay that ends gives back what it cut off, and does not count it', async () => {
    await using world = await openWebhookWorld(engine, { timeoutMs: 30_000 });
    let hang = true;
    await using receiver = await Receiver.open((_, response) => void (hang || response.writeHead(204).end()));
    const { id } = await world.make(receiver);
    await world.emit('a', 1);
    const relay = world.relay();
    relay.start();
    await until('it is under way', () => receiver.ids.length === 1);
    await relay.close();
    hang = false;
    expect(await world.states(id)).toEqual(['a-1 pending']);
    expect(await world.relay().once()).toMatchObject({ delivered: 1 });
    const { deliveries } = await listDeliveries(world.webhooks, id, { state: null, limit: 50, cursor: null });
    expect(deliveries).toMatchObject([{ attempts: 1, state: 'delivered' }]);
  });
});

test('G18 on PostgreSQL an event that commits late, with an older id than what was sent, is sent', async () => {
  await using world = await openWebhookWorld('PostgreSQL');
  await using receiver = await Receiver.open();
  await world.make(receiver);
  if (!('connection' in world.place)) throw new Error('not PostgreSQL');
  const { host, database } = world.place.connection;
  const client = await connectTo(host, database);
  try {
    await client.query('BEGIN');
    await client.query(
      "INSERT INTO outbox (aggregate, aggregate_seq, type, payload, at) VALUES ('late', 1, 'dev.waybill.test.odd', '{}', 1)",
    );
    await world.emit('early', 1);
    const relay = world.relay();
    expect(await relay.once()).toMatchObject({ handedOver: 1, delivered: 1 });
    await client.query('COMMIT');
    expect(await relay.once()).toMatchObject({ handedOver: 2, delivered: 2 });
  } finally {
    await client.end();
  }
  expect(receiver.ids).toEqual(['early-1', 'late-1']);
});
