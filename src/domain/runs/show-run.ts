import { WaybillError } from '../../contract/errors.ts';
import type { Receipt, RunState } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import type { Engine } from './engine.ts';
import { readRunRow } from './load-run.ts';
import { runStates } from './run-states.ts';
import { parseReceipt } from './steps/receipt.ts';

/** What looking at runs needs of the engine. */
export type Looking = Pick<Engine, 'store' | 'clock' | 'host'>;

/** A receipt with the digest of its stored text: what its event in the ledger names. */
export interface ListedReceipt {
  readonly receipt: Receipt;
  readonly digest: string;
  /** True for one of an earlier run that this run shares; then `receipt.runId` is that run's. */
  readonly shared: boolean;
}

/** A run as it is now. @throws WaybillError `run_not_found` */
export async function showRun(engine: Looking, runId: RunId): Promise<RunState> {
  const from = { host: engine.host, now: engine.clock.now() };
  return engine.store.read(async (tx) => {
    const [state] = await runStates(tx, [await readRunRow(tx, runId)], from);
    if (state === undefined) throw new Error('one row gave no state');
    return state;
  });
}

/** All receipts of a run in order, those it shares with an earlier run first. @throws WaybillError `run_not_found` */
export async function listReceipts(engine: Pick<Looking, 'store'>, runId: RunId): Promise<ListedReceipt[]> {
  return engine.store.read(async (tx) => {
    await readRunRow(tx, runId);
    const shared = await tx.db
      .selectFrom('shared_receipt')
      .innerJoin('receipt', (join) =>
        join
          .onRef('receipt.run', '=', 'shared_receipt.origin_run')
          .onRef('receipt.number', '=', 'shared_receipt.number'),
      )
      .select(['receipt.body', 'receipt.digest'])
      .where('shared_receipt.run', '=', runId)
      .orderBy('shared_receipt.origin_run')
      .orderBy('shared_receipt.number')
      .execute();
    const own = await tx.db
      .selectFrom('receipt')
      .select(['body', 'digest'])
      .where('run', '=', runId)
      .orderBy('number')
      .execute();
    return [
      ...shared.map(({ body, digest }) => ({ receipt: parseReceipt(body), digest, shared: true })),
      ...own.map(({ body, digest }) => ({ receipt: parseReceipt(body), digest, shared: false })),
    ];
  });
}

/** One of the run's own receipts, by its number. @throws WaybillError `run_not_found`, `receipt_not_found` */
export async function showReceipt(
  engine: Pick<Looking, 'store'>,
  runId: RunId,
  number: number,
): Promise<ListedReceipt> {
  return engine.store.read(async (tx) => {
    const { receipts } = await readRunRow(tx, runId);
    const row = await tx.db
      .selectFrom('receipt')
      .select(['body', 'digest'])
      .where('run', '=', runId)
      .where('number', '=', number)
      .executeTakeFirst();
    if (row !== undefined) return { receipt: parseReceipt(row.body), digest: row.digest, shared: false };
    const there = receipts === 0 ? 'it has none' : `it has 1 to ${receipts}`;
    throw new WaybillError('receipt_not_found', `run ${runId} has no receipt ${number}: ${there}`, {
      hint: `List them with: waybill show ${runId} --receipts`,
    });
  });
}
