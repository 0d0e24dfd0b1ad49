import { commit } from '../../../platform/journal/commit.ts';
import { findWebhook } from './find-webhook.ts';
import { asWebhook, type Webhook } from './webhook.ts';
import type { Webhooks } from './webhooks.ts';

/**
 * Removes a webhook: nothing more is sent to it, and what waits for it is dead.
 * @throws WaybillError `webhook_not_found`
 */
export async function removeWebhook(
  { store, clock, key }: Pick<Webhooks, 'store' | 'clock' | 'key'>,
  id: string,
  by: string,
): Promise<Webhook> {
  return store.locked({ table: 'outbox_handover', key: { name: 'webhooks' } }, async (tx) => {
    const row = await findWebhook(tx, id);
    const removed = { removed_at: clock.now(), removed_by: by };
    const waiting = tx.db.selectFrom('outbox_delivery').where('webhook', '=', id).where('state', '=', 'pending');
    const { count } = await waiting.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
    await commit(tx, {
      change: async () => {
        await tx.db.updateTable('webhook').set(removed).where('id', '=', id).execute();
        await tx.db
          .updateTable('outbox_delivery')
          .set({ state: 'dead', claimed_until: null, last_error: 'the webhook was removed' })
          .where('webhook', '=', id)
          .where('state', '=', 'pending')
          .execute();
      },
      audit: [
        {
          at: removed.removed_at,
          actor: by,
          action: 'webhook.removed',
          resource: id,
          outcome: 'succeeded',
          details: { host: new URL(row.url).host, undelivered: Number(count) },
        },
      ],
    });
    return asWebhook({ ...row, ...removed }, key);
  });
}
