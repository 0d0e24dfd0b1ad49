import type { RunId } from '../../contract/ids.ts';
import type { ReadTx } from '../../platform/store/store.ts';

/** The receipts of earlier runs that this one shares, as stored, in the order it came to know them. */
export function sharedReceipts(tx: ReadTx, runId: RunId) {
  return tx.db
    .selectFrom('shared_receipt')
    .innerJoin('receipt', (join) =>
      join.onRef('receipt.run', '=', 'shared_receipt.origin_run').onRef('receipt.number', '=', 'shared_receipt.number'),
    )
    .select(['receipt.body', 'receipt.digest'])
    .where('shared_receipt.run', '=', runId)
    .orderBy('shared_receipt.origin_run')
    .orderBy('shared_receipt.number')
    .execute();
}
