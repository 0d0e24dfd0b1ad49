import { asWebhook, type Webhook } from './webhook.ts';
import type { Webhooks } from './webhooks.ts';

export interface ListedWebhook extends Webhook {
  /** How many deliveries are in which state. */
  readonly deliveries: { readonly pending: number; readonly delivered: number; readonly dead: number };
}

/** All webhooks, oldest first; removed ones are not shown. */
export async function listWebhooks({ store, key }: Pick<Webhooks, 'store' | 'key'>): Promise<readonly ListedWebhook[]> {
  return store.read(async (tx) => {
    const rows = await tx.db
      .selectFrom('webhook')
      .selectAll()
      .where('removed_at', 'is', null)
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    const counts = await tx.db
      .selectFrom('outbox_delivery')
      .select(({ fn }) => ['webhook', 'state', fn.countAll<number>().as('count')])
      .groupBy(['webhook', 'state'])
      .execute();
    const of = (webhook: string, state: string) =>
      Number(counts.find((each) => each.webhook === webhook && each.state === state)?.count ?? 0);
    return rows.map((row) => ({
      ...asWebhook(row, key),
      deliveries: { pending: of(row.id, 'pending'), delivered: of(row.id, 'delivered'), dead: of(row.id, 'dead') },
    }));
  });
}
