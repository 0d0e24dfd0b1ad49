import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { outboxStatement } from '../../../platform/journal/outbox.ts';
import { openSqliteStore } from '../../../platform/store/sqlite/open.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import { allMigrations } from '../all-migrations.ts';

afterAll(dropDatabases);

const webhook = {
  id: 'wh_0000000000000001',
  url: 'https://ci.example.com/',
  types: '[]',
  key_id: 'k',
  created_at: 1,
  created_by: 'test',
  removed_at: null,
  removed_by: null,
};
const delivery = {
  webhook: webhook.id,
  aggregate: 'a',
  aggregate_seq: 1,
  outbox: 1,
  type: 't',
  state: 'pending',
  attempts: 0,
  claim: 0,
  due_at: 1,
  claimed_until: null,
  last_at: null,
  last_status: null,
  last_error: null,
  made_at: 1,
  delivered_at: null,
} as const;

describe.each(bothStores)('what guards the outbox on %s', (_engine, open) => {
  test('G18 G15 by SQL with the role of the program no event, webhook or delivery is changed, replaced or deleted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-outbox-'));
    const { openStore } = await open();
    const store = await (openStore?.() ??
      openSqliteStore({ path: join(folder, 'waybill.db'), migrations: allMigrations() }));
    try {
      const event = { aggregate: 'a', seq: 1, type: 't', payload: {}, at: 1 };
      await store.submit({ statements: [outboxStatement([event, { ...event, seq: 2 }])] });
      await store.write(async (tx) => {
        await tx.db.insertInto('webhook').values(webhook).execute();
        await tx.db.insertInto('outbox_delivery').values(delivery).execute();
        await tx.db.updateTable('outbox').set({ delivered_at: 5 }).where('aggregate_seq', '=', 1).execute();
      });
      const rows = () =>
        store.read(async (tx) => [
          await tx.db.selectFrom('outbox').selectAll().orderBy('id').execute(),
          await tx.db.selectFrom('webhook').selectAll().execute(),
          await tx.db.selectFrom('outbox_delivery').selectAll().execute(),
          await tx.db.selectFrom('outbox_handover').selectAll().execute(),
        ]);
      const before = await rows();
      const outbox = { aggregate: 'a', aggregate_seq: 3, type: 't', payload: '{}', at: 1, traceparent: null };
      const attempts: ((tx: WriteTx) => Promise<unknown>)[] = [
        (tx) => tx.db.updateTable('outbox').set({ payload: '{"x":1}' }).where('aggregate_seq', '=', 2).execute(),
        (tx) => tx.db.updateTable('outbox').set({ aggregate: 'b' }).where('aggregate_seq', '=', 2).execute(),
        (tx) => tx.db.updateTable('outbox').set({ delivered_at: null }).where('aggregate_seq', '=', 1).execute(),
        (tx) => tx.db.updateTable('outbox').set({ delivered_at: 6 }).where('aggregate_seq', '=', 1).execute(),
        (tx) => tx.db.deleteFrom('outbox').where('aggregate_seq', '=', 1).execute(),
        (tx) => tx.db.deleteFrom('outbox').where('aggregate_seq', '=', 2).execute(),
        (tx) =>
          tx.db
            .insertInto('outbox')
            .values({ ...outbox, aggregate_seq: 1, delivered_at: null })
            .execute(),
        (tx) =>
          tx.db
            .insertInto('outbox')
            .values({ ...outbox, delivered_at: 1 })
            .execute(),
        (tx) => tx.db.updateTable('webhook').set({ url: 'https://evil.example.com/' }).execute(),
        (tx) => tx.db.updateTable('webhook').set({ types: '["x"]', removed_at: 1, removed_by: 'x' }).execute(),
        (tx) => tx.db.deleteFrom('webhook').execute(),
        (tx) =>
          tx.db
            .insertInto('webhook')
            .values({ ...webhook, id: 'wh_0000000000000002' })
            .execute(),
        (tx) =>
          tx.db
            .insertInto('webhook')
            .values({ ...webhook, url: 'https://b.example.com/' })
            .execute(),
        (tx) => tx.db.updateTable('outbox_delivery').set({ aggregate_seq: 2 }).execute(),
        (tx) => tx.db.updateTable('outbox_delivery').set({ webhook: 'wh_0000000000000002' }).execute(),
        (tx) => tx.db.updateTable('outbox_delivery').set({ state: 'delivered' }).execute(),
        (tx) => tx.db.updateTable('outbox_delivery').set({ claim: -1 }).execute(),
        (tx) => tx.db.deleteFrom('outbox_delivery').execute(),
        (tx) => tx.db.insertInto('outbox_delivery').values(delivery).execute(),
        (tx) =>
          tx.db
            .insertInto('outbox_delivery')
            .values({ ...delivery, aggregate_seq: 9, outbox: 9 })
            .execute(),
        (tx) =>
          tx.db
            .insertInto('outbox_delivery')
            .values({ ...delivery, aggregate_seq: 2, outbox: 2, type: 'x' })
            .execute(),
        (tx) => tx.db.insertInto('outbox_handover').values({ name: 'webhooks' }).execute(),
        (tx) => tx.db.deleteFrom('outbox_handover').execute(),
      ];
      if (store.engine === 'sqlite') {
        attempts.push(
          (tx) =>
            tx.db
              .insertInto('outbox')
              .orReplace()
              .values({ ...outbox, id: 1, delivered_at: null })
              .execute(),
          (tx) =>
            tx.db
              .insertInto('outbox')
              .orReplace()
              .values({ ...outbox, aggregate_seq: 2, payload: '1', delivered_at: null })
              .execute(),
          (tx) => sql`UPDATE OR REPLACE outbox SET id = 1 WHERE id = 2`.execute(tx.db),
          (tx) =>
            tx.db
              .insertInto('webhook')
              .orReplace()
              .values({ ...webhook, url: 'https://b.example.com/' })
              .execute(),
          (tx) =>
            tx.db
              .insertInto('outbox_delivery')
              .orReplace()
              .values({ ...delivery, attempts: 7 })
              .execute(),
        );
      }
      for (const [index, attempt] of attempts.entries()) {
        const refused = store.write(async (tx) => void (await attempt(tx)));
        await expect(refused, `attempt ${index}`).rejects.toMatchObject({
          code: expect.stringMatching(/^(store_(immutable|constraint)|webhook_exists)$/),
        });
      }
      for (const table of ['outbox', 'webhook', 'outbox_delivery', 'outbox_handover', 'audit', 'audit_chain']) {
        await expect(store.write((tx) => sql`TRUNCATE ${sql.table(table)}`.execute(tx.db))).rejects.toThrow();
      }
      expect(await rows()).toEqual(before);
    } finally {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
