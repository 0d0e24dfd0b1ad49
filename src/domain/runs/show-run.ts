import { WaybillError } from '../../contract/errors.ts';
import type { Receipt, RunState } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { sql } from './ledger/statements.ts';
import { missingRun, type RunRow, readRunRow } from './load-run.ts';
import { eventRow, linkRow, parseRows, pendingRow, runRow } from './rows.ts';
import { runState } from './run-states.ts';
import { sharedReceipts } from './shared-receipts.ts';
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

const selectRun = sql('SELECT * FROM run WHERE id = ?');
const selectPending = sql('SELECT * FROM pending_step WHERE run = ? ORDER BY first_seq');
const selectLinks = sql('SELECT * FROM run_link WHERE run = ? OR origin_run = ? ORDER BY run');
const selectStart = sql(
  "SELECT seq, type, body, digest FROM run_event WHERE run = ? AND seq IN (1, 2) AND type = 'run.started'",
);

/** A run as it is now, read without a query builder: every command that works on a run ends with it. @throws WaybillError `run_not_found` */
export async function showRun(engine: Looking, runId: RunId): Promise<RunState> {
  const { store } = engine;
  const row = await findRun(store, runId);
  const pending = parseRows(pendingRow, await store.select(selectPending, [runId]));
  const links = parseRows(linkRow, await store.select(selectLinks, [runId, runId]));
  const [start] = parseRows(eventRow, await store.select(selectStart, [runId]));
  return runState(row, { pending, links, started: start?.body }, { host: engine.host, now: engine.clock.now() });
}

/** @throws WaybillError `run_not_found`, `run_removed` */
export async function findRun(store: Store, runId: RunId): Promise<RunRow> {
  const [row] = parseRows(runRow, await store.select(selectRun, [runId]));
  if (row !== undefined) return row;
  throw await missingRun(store, runId);
}

/** All receipts of a run in order, those it shares with an earlier run first. @throws WaybillError `run_not_found` */
export async function listReceipts(engine: Pick<Looking, 'store'>, runId: RunId): Promise<ListedReceipt[]> {
  return engine.store.read(async (tx) => {
    await readRunRow(tx, runId);
    const shared = await sharedReceipts(tx, runId);
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
