import { sql } from 'kysely';
import type { Micros } from '../clock/clock.ts';
import type { Store, WriteTx } from '../store/store.ts';
import type { ErrorEnvelope } from './envelope.ts';
import { type ErrorRow, errorRow, errorValues, insertEnvelopeSql } from './error-row.ts';

/** PostgreSQL takes 65,535 parameters a statement; an envelope has 26. */
const rowsAStatement = 1000;

/**
 * Stores envelopes in one transaction; those that are stored already are left as they are.
 * @returns how many were new
 */
export async function insertBatch(store: Store, envelopes: readonly ErrorEnvelope[], now: Micros): Promise<number> {
  if (envelopes.length === 0) return 0;
  // In one order in every batch, so that two batches with the same envelopes wait for each other only one way.
  const rows = envelopes.map((envelope) => errorRow(envelope, now)).sort((a, b) => (a.error_id < b.error_id ? -1 : 1));
  return store.write((tx) => (store.engine === 'sqlite' ? insertEach(tx, rows) : insertTogether(tx, rows)));
}

/** SQLite's guard against REPLACE would refuse a duplicate loudly, so each insert asks first. */
async function insertEach(tx: WriteTx, rows: readonly ErrorRow[]): Promise<number> {
  const [begin = '', ...parts] = insertEnvelopeSql.sqlite.split('?');
  let stored = 0;
  for (const row of rows) {
    const values = errorValues(row);
    const filled = parts.map((part, index) => sql`${values[index] ?? null}${sql.raw(part)}`);
    const result = await sql`${sql.raw(begin)}${sql.join(filled, sql.raw(''))}`.execute(tx.db);
    stored += Number(result.numAffectedRows ?? 0);
  }
  return stored;
}

async function insertTogether(tx: WriteTx, rows: readonly ErrorRow[]): Promise<number> {
  let stored = 0;
  for (let from = 0; from < rows.length; from += rowsAStatement) {
    const result = await tx.db
      .insertInto('infra_error_events')
      .values(rows.slice(from, from + rowsAStatement))
      .onConflict((conflict) => conflict.column('error_id').doNothing())
      .executeTakeFirst();
    stored += Number(result.numInsertedOrUpdatedRows ?? 0);
  }
  return stored;
}
