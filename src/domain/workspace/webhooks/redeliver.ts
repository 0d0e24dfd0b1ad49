import type { Selectable } from 'kysely';
import { WaybillError } from '../../../contract/errors.ts';
import { parseEventId } from '../../../platform/journal/cloud-event.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import { findWebhook } from './find-webhook.ts';
import type { OutboxDeliveryTable } from './tables.ts';
import type { Webhooks } from './webhooks.ts';

/**
 * Sends an event once more, from now on and as often as a new one: one that is dead or delivered, or one that waits for
 * its next try. It keeps its id.
 * @param deliveryId the id of the event
 * @throws WaybillError `webhook_not_found`, `delivery_not_found`
 */
export async function redeliver(
  webhooks: Pick<Webhooks, 'store' | 'clock'>,
  webhook: string,
  deliveryId: string,
  by: string,
): Promise<Selectable<OutboxDeliveryTable>> {
  const { store } = webhooks;
  const key = parseEventId(deliveryId);
  if (key === null) throw notFound(webhook, deliveryId);
  try {
    const delivery = await store.locked({ table: 'outbox_delivery', key: { webhook, ...key } }, async (tx) => {
      await findWebhook(tx, webhook);
      const row = await tx.db
        .selectFrom('outbox_delivery')
        .selectAll()
        .where('webhook', '=', webhook)
        .where('aggregate', '=', key.aggregate)
        .where('aggregate_seq', '=', key.aggregate_seq)
        .executeTakeFirstOrThrow();
      return await again(tx, webhooks, row, by);
    });
    store.hints.announce('outbox');
    return delivery;
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'store_row_missing') throw error;
    await store.read((tx) => findWebhook(tx, webhook));
    throw notFound(webhook, deliveryId);
  }
}

/**
 * The same with all of a webhook that are dead.
 * @returns how many there were
 * @throws WaybillError `webhook_not_found`
 */
export async function redeliverDead(
  webhooks: Pick<Webhooks, 'store' | 'clock'>,
  webhook: string,
  by: string,
): Promise<number> {
  for (let total = 0; ; ) {
    const count = await webhooks.store.write(async (tx) => {
      await findWebhook(tx, webhook);
      const dead = tx.db.selectFrom('outbox_delivery').selectAll().where('webhook', '=', webhook);
      const rows = await dead.where('state', '=', 'dead').orderBy('outbox').limit(200).execute();
      for (const row of rows) await again(tx, webhooks, row, by);
      return rows.length;
    });
    total += count;
    if (count < 200) return total;
  }
}

async function again(
  tx: WriteTx,
  { clock }: Pick<Webhooks, 'clock'>,
  row: Selectable<OutboxDeliveryTable>,
  by: string,
): Promise<Selectable<OutboxDeliveryTable>> {
  const { webhook, aggregate, aggregate_seq, state } = row;
  const to = { state: 'pending', attempts: 0, due_at: clock.now(), delivered_at: null } as const;
  await commit(tx, {
    change: async () => {
      await tx.db
        .updateTable('outbox_delivery')
        .set(to)
        .where('webhook', '=', webhook)
        .where('aggregate', '=', aggregate)
        .where('aggregate_seq', '=', aggregate_seq)
        .execute();
    },
    audit: [
      {
        at: to.due_at,
        actor: by,
        action: 'delivery.redelivered',
        resource: webhook,
        outcome: 'succeeded',
        details: { event: `${aggregate}-${aggregate_seq}`, type: row.type, was: state },
      },
    ],
  });
  return { ...row, ...to };
}

function notFound(webhook: string, deliveryId: string): WaybillError {
  return new WaybillError(
    'delivery_not_found',
    `${webhook} has no delivery ${JSON.stringify(deliveryId.slice(0, 128))}`,
    { hint: `What there is: waybill webhooks deliveries ${webhook}` },
  );
}
