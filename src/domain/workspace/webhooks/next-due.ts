import type { Micros } from '../../../platform/clock/clock.ts';
import type { PreparedSql } from '../../../platform/store/store.ts';
import { asWebhook, type Webhook } from './webhook.ts';
import type { Webhooks } from './webhooks.ts';

/** The webhooks there are: what a relay looks at. */
export async function liveWebhooks({ store, key }: Pick<Webhooks, 'store' | 'key'>): Promise<readonly Webhook[]> {
  const rows = await store.read((tx) =>
    tx.db.selectFrom('webhook').selectAll().where('removed_at', 'is', null).orderBy('id').execute(),
  );
  return rows.map((row) => asWebhook(row, key));
}

const firstDue: PreparedSql = {
  sqlite: "SELECT due_at FROM outbox_delivery WHERE webhook = ? AND state = 'pending' ORDER BY due_at LIMIT 1",
  postgres: "SELECT due_at FROM outbox_delivery WHERE webhook = $1 AND state = 'pending' ORDER BY due_at LIMIT 1",
};

/** When something for this webhook may be due, the past included; null when nothing waits for it. */
export async function nextDue({ store }: Pick<Webhooks, 'store'>, webhook: string): Promise<Micros | null> {
  const [row] = await store.select(firstDue, [webhook]);
  return row === undefined ? null : Number(row.due_at);
}
