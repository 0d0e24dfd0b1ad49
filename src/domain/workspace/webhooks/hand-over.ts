import type { PreparedSql } from '../../../platform/store/store.ts';
import { asWebhook } from './webhook.ts';
import type { Webhooks } from './webhooks.ts';

const batch = 200;
const anyWaits: PreparedSql = {
  sqlite: 'SELECT id FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT 1',
  postgres: 'SELECT id FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT 1',
};

/**
 * Hands the events of the outbox over: one delivery for each webhook that wants the type, and the event is marked, in one
 * transaction. It asks for what is not marked, never for ids beyond the last one: what commits late has an older id.
 * Costs one read of an empty index when there is nothing to do.
 * @returns how many events were handed over
 */
export async function handOver({ store, clock, key }: Pick<Webhooks, 'store' | 'clock' | 'key'>): Promise<number> {
  let total = 0;
  for (;;) {
    if ((await store.select(anyWaits, [])).length === 0) return total;
    // One after the other: of two events of one aggregate the second is never handed over before the first.
    const count = await store.locked({ table: 'outbox_handover', key: { name: 'webhooks' } }, async (tx) => {
      const live = await tx.db.selectFrom('webhook').selectAll().where('removed_at', 'is', null).execute();
      const webhooks = live.map((row) => asWebhook(row, key));
      const events = await tx.db
        .selectFrom('outbox')
        .select(['id', 'aggregate', 'aggregate_seq', 'type'])
        .where('delivered_at', 'is', null)
        .orderBy('id')
        .limit(batch)
        .execute();
      const now = clock.now();
      const deliveries = events.flatMap((event) =>
        webhooks
          .filter(({ types }) => types.length === 0 || types.includes(event.type))
          .map(({ id }) => ({
            webhook: id,
            aggregate: event.aggregate,
            aggregate_seq: event.aggregate_seq,
            outbox: event.id,
            type: event.type,
            state: 'pending' as const,
            attempts: 0,
            claim: 0,
            due_at: now,
            claimed_until: null,
            last_at: null,
            last_status: null,
            last_error: null,
            made_at: now,
            delivered_at: null,
          })),
      );
      for (let from = 0; from < deliveries.length; from += batch) {
        await tx.db
          .insertInto('outbox_delivery')
          .values(deliveries.slice(from, from + batch))
          .execute();
      }
      if (events.length > 0) {
        const ids = events.map(({ id }) => id);
        await tx.db.updateTable('outbox').set({ delivered_at: now }).where('id', 'in', ids).execute();
      }
      return events.length;
    });
    total += count;
    if (count < batch) return total;
  }
}
