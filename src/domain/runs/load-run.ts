import type { Selectable } from 'kysely';
import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { stepReference } from '../../contract/evidence.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import type { ReadTx, Store } from '../../platform/store/store.ts';
import type { PendingStep, RecordedReceipt } from './execution/replay.ts';
import { sql } from './ledger/statements.ts';
import { type RemovedRun, readRemovedRun, removedRun, runRemoved } from './retention/removed-run.ts';
import { parseRows, runRow } from './rows.ts';
import { sharedReceipts } from './shared-receipts.ts';
import { parseReceipt } from './steps/receipt.ts';
import type { PendingStepTable, RunTable } from './tables.ts';

export type RunRow = Selectable<RunTable>;

export interface LoadedRun {
  readonly row: RunRow;
  readonly input: JsonValue;
  readonly receipts: readonly RecordedReceipt[];
  readonly pending: readonly PendingStep[];
  /** Identities, as text, of processes an earlier holder started and never saw end. */
  readonly processes: readonly { readonly marker: string; readonly identity: string | null }[];
}

/** @throws WaybillError `run_not_found`, `run_removed` */
export async function readRunRow(tx: ReadTx, runId: RunId): Promise<RunRow> {
  const row = await tx.db.selectFrom('run').selectAll().where('id', '=', runId).executeTakeFirst();
  if (row !== undefined) return row;
  throw noSuchRun(runId, await readRemovedRun(tx, runId));
}

/** What to throw when the store has no such run: `run_removed` when retention removed it, else `run_not_found`. */
export async function missingRun(store: Store, runId: RunId): Promise<WaybillError> {
  return noSuchRun(runId, await removedRun(store, runId));
}

function noSuchRun(runId: RunId, removed: RemovedRun | null): WaybillError {
  return removed === null ? runNotFound(runId) : runRemoved(removed);
}

export function runNotFound(runId: RunId): WaybillError {
  return new WaybillError('run_not_found', `there is no run ${runId} in this workspace`, {
    hint: 'List the runs with `waybill runs`.',
  });
}

/** What resuming needs: the head, receipts and what was under way; never the ledger itself. */
export async function loadRun(store: Store, runId: RunId): Promise<LoadedRun> {
  return store.read(async (tx) => {
    const row = await readRunRow(tx, runId);
    const input = await tx.db
      .selectFrom('run_input')
      .select('input')
      .where('run', '=', runId)
      .executeTakeFirstOrThrow();
    const receipts = await readReceipts(tx, runId);
    const pending = await tx.db
      .selectFrom('pending_step')
      .selectAll()
      .where('run', '=', runId)
      .orderBy('first_seq')
      .execute();
    const processes = await tx.db
      .selectFrom('run_process')
      .select(['marker', 'identity'])
      .where('run', '=', runId)
      .execute();
    const parsed: JsonValue = JSON.parse(input.input);
    return { row, input: parsed, receipts, pending: pending.map(pendingOf), processes };
  });
}

const selectUnbegun = sql(
  "SELECT r.*, i.input FROM run r JOIN run_input i ON i.run = r.id WHERE r.id = ? AND r.state = 'queued' AND r.root = ''",
);
const unbegunRow = runRow.extend({ input: z.string() });

/** What `loadRun` gives, in one look, for a run nobody has begun and that shares nothing; null for all others. */
export async function loadUnbegun(store: Store, runId: RunId): Promise<LoadedRun | null> {
  const [found] = parseRows(unbegunRow, await store.select(selectUnbegun, [runId]));
  if (found === undefined) return null;
  const { input, ...row } = found;
  const parsed: JsonValue = JSON.parse(input);
  return { row, input: parsed, receipts: [], pending: [], processes: [] };
}

/** The receipts of a run, its own and those it shares, each in the order of their numbers. */
export async function readReceipts(tx: ReadTx, runId: RunId): Promise<RecordedReceipt[]> {
  const own = await tx.db.selectFrom('receipt').select('body').where('run', '=', runId).orderBy('number').execute();
  const shared = await sharedReceipts(tx, runId);
  return [
    ...shared.map(({ body }) => ({ receipt: parseReceipt(body), shared: true })),
    ...own.map(({ body }) => ({ receipt: parseReceipt(body), shared: false })),
  ];
}

const pendingBody = z.strictObject({
  work: z.strictObject({
    action: z.string(),
    task: z.string().nullable(),
    inputs: z.json(),
    expectedOutputs: z.array(z.string()),
    step: stepReference,
  }),
  failures: z.int(),
  snapshot: z.string().nullable(),
  until: z.int().nullable(),
});
const waitKind = z.enum(['approval', 'signal', 'sleep']).nullable();

/** @throws WaybillError `store_corrupt` */
export function pendingOf(row: Selectable<PendingStepTable>): PendingStep {
  const body = pendingBody.safeParse(JSON.parse(row.body));
  const waiting = waitKind.safeParse(row.waiting_for);
  if (!body.success || !waiting.success) {
    throw new WaybillError('store_corrupt', `the store holds a pending step of ${row.run} that cannot be read`);
  }
  return {
    work: body.data.work,
    idempotencyKey: parseId('idempotencyKey', row.idempotency_key),
    attempt: row.attempt,
    failures: body.data.failures,
    firstSeq: row.first_seq,
    snapshot: body.data.snapshot,
    waitingFor: waiting.data,
    until: body.data.until,
    startedAt: row.started_at,
  };
}
