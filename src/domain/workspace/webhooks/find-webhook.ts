import type { Selectable } from 'kysely';
import { WaybillError } from '../../../contract/errors.ts';
import type { ReadTx, WriteTx } from '../../../platform/store/store.ts';
import type { WebhookTable } from './tables.ts';

/** @throws WaybillError `webhook_not_found`, also for one that was removed */
export async function findWebhook(tx: ReadTx | WriteTx, id: string): Promise<Selectable<WebhookTable>> {
  const row = await tx.db.selectFrom('webhook').selectAll().where('id', '=', id).executeTakeFirst();
  if (row !== undefined && row.removed_at === null) return row;
  throw new WaybillError('webhook_not_found', `there is no webhook ${JSON.stringify(id.slice(0, 64))}`, {
    hint: 'The webhooks there are: waybill webhooks list',
  });
}
