import type { Updateable } from 'kysely';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { ClaimedDelivery } from './claim-deliveries.ts';
import type { OutboxDeliveryTable } from './tables.ts';
import type { Webhooks } from './webhooks.ts';

/**
 * Writes down what came of a try, with its audit record, and lets go of the claim. False when the claim was not the last
 * one any more, or the webhook was removed: then nothing is written.
 */
export async function settleDelivery(
  { store }: Pick<Webhooks, 'store'>,
  claimed: ClaimedDelivery,
  to: Updateable<OutboxDeliveryTable>,
  audit: readonly AuditRecord[] = [],
): Promise<boolean> {
  return store.write(async (tx) => {
    const { numUpdatedRows } = await tx.db
      .updateTable('outbox_delivery')
      .set({ ...to, claimed_until: null })
      .where('webhook', '=', claimed.webhook)
      .where('aggregate', '=', claimed.aggregate)
      .where('aggregate_seq', '=', claimed.aggregate_seq)
      .where('state', '=', 'pending')
      .where('claim', '=', claimed.claim)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) return false;
    await commit(tx, { change: async () => {}, audit });
    return true;
  });
}
