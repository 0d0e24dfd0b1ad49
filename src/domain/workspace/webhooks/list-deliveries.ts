import type { Selectable } from 'kysely';
import { WaybillError } from '../../../contract/errors.ts';
import { findWebhook } from './find-webhook.ts';
import type { DeliveryState } from './states.ts';
import type { OutboxDeliveryTable } from './tables.ts';
import type { Webhooks } from './webhooks.ts';

export interface DeliveryPage {
  /** Newest event first. */
  readonly deliveries: readonly Selectable<OutboxDeliveryTable>[];
  readonly nextCursor: string | null;
}

/**
 * What was sent, or is to be sent, to a webhook.
 * @throws WaybillError `webhook_not_found`, `invalid_argument` for a cursor that is none
 */
export async function listDeliveries(
  { store }: Pick<Webhooks, 'store'>,
  webhook: string,
  filter: { readonly state: DeliveryState | null; readonly limit: number; readonly cursor: string | null },
): Promise<DeliveryPage> {
  const { state, limit, cursor } = filter;
  if (cursor !== null && !/^\d{1,16}$/.test(cursor)) {
    throw new WaybillError('invalid_argument', 'this is no cursor of a list of deliveries', {
      hint: 'Give `nextCursor` of the page before, unchanged.',
    });
  }
  return store.read(async (tx) => {
    await findWebhook(tx, webhook);
    let query = tx.db
      .selectFrom('outbox_delivery')
      .selectAll()
      .where('webhook', '=', webhook)
      .orderBy('outbox', 'desc')
      .limit(limit + 1);
    if (state !== null) query = query.where('state', '=', state);
    if (cursor !== null) query = query.where('outbox', '<', Number(cursor));
    const rows = await query.execute();
    const deliveries = rows.slice(0, limit);
    const last = deliveries.at(-1);
    return { deliveries, nextCursor: rows.length > limit && last !== undefined ? String(last.outbox) : null };
  });
}
