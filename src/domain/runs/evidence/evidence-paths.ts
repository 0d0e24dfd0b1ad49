import { join } from 'node:path';
import type { Receipt } from '../../../contract/evidence.ts';
import { isId } from '../../../contract/ids.ts';

/** The names of the files in a run's folder. */
export const runFile = 'run.json';
export const ledgerFile = 'ledger.ndjson';
export const snapshotFile = 'snapshot.json';
export const receiptsFolder = 'receipts';

/**
 * Where a receipt lies in its run's folder: `receipts/<task>/step-<number>.json`, under the workflow's name for a
 * step that belongs to no task. What is not an id is no part of a path.
 */
export function receiptFile(receipt: Pick<Receipt, 'task' | 'number'>, workflow: string): string {
  const owner = receipt.task !== null && isId('task', receipt.task) ? receipt.task : workflow;
  return join(
    receiptsFolder,
    isId('name', owner) || isId('task', owner) ? owner : 'other',
    `step-${receipt.number}.json`,
  );
}
