import { sql } from 'kysely';
import type { OutboxEvent } from '../../../platform/journal/cloud-event.ts';
import type { Webhooks } from './webhooks.ts';

/** A try that is ours to make, and nobody else's until its time is over. */
export interface ClaimedDelivery extends OutboxEvent {
  readonly webhook: string;
  readonly url: string;
  /** Which claim this is: an answer counts only while it is the last one. */
  readonly claim: number;
  /** Tries that came to an end before this one. */
  readonly attempts: number;
}

/** After the time limit of a try, until what a dead relay had claimed is claimed by another. */
const graceMs = 5_000;

/**
 * Claims tries of one webhook that are due, oldest first: of each aggregate only the first event that is neither
 * delivered nor dead, so that the next one waits for it and no other aggregate does.
 */
export async function claimDeliveries(
  { store, clock, settings }: Pick<Webhooks, 'store' | 'clock' | 'settings'>,
  webhook: string,
  most: number,
): Promise<readonly ClaimedDelivery[]> {
  const now = clock.now();
  const due = await store.read((tx) =>
    tx.db
      .selectFrom('outbox_delivery as delivery')
      .innerJoin('outbox', 'outbox.id', 'delivery.outbox')
      .innerJoin('webhook', 'webhook.id', 'delivery.webhook')
      .select(['delivery.webhook', 'delivery.aggregate', 'delivery.aggregate_seq', 'delivery.claim'])
      .select(['delivery.attempts', 'delivery.claimed_until', 'webhook.url'])
      .select(['outbox.type', 'outbox.payload', 'outbox.at', 'outbox.traceparent'])
      .where('delivery.webhook', '=', webhook)
      .where('delivery.state', '=', sql.lit('pending'))
      .where('delivery.due_at', '<=', now)
      .where('webhook.removed_at', 'is', null)
      .where(({ or, eb }) => or([eb('delivery.claimed_until', 'is', null), eb('delivery.claimed_until', '<=', now)]))
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('outbox_delivery as before')
              .select('before.webhook')
              .whereRef('before.webhook', '=', 'delivery.webhook')
              .whereRef('before.aggregate', '=', 'delivery.aggregate')
              .whereRef('before.aggregate_seq', '<', 'delivery.aggregate_seq')
              .where('before.state', '=', sql.lit('pending')),
          ),
        ),
      )
      .orderBy('delivery.due_at')
      .orderBy('delivery.outbox')
      .limit(most)
      .execute(),
  );
  if (due.length === 0) return [];
  const until = now + (settings.timeoutMs + graceMs) * 1_000;
  return store.write(async (tx) => {
    const claimed: ClaimedDelivery[] = [];
    for (const { claimed_until: _, ...delivery } of due) {
      // Only from the claim that was read: of two relays that want it one changes it first.
      const { numUpdatedRows } = await tx.db
        .updateTable('outbox_delivery')
        .set({ claim: delivery.claim + 1, claimed_until: until })
        .where('webhook', '=', delivery.webhook)
        .where('aggregate', '=', delivery.aggregate)
        .where('aggregate_seq', '=', delivery.aggregate_seq)
        .where('state', '=', 'pending')
        .where('claim', '=', delivery.claim)
        .executeTakeFirst();
      if (numUpdatedRows === 1n) claimed.push({ ...delivery, claim: delivery.claim + 1 });
    }
    return claimed;
  });
}
