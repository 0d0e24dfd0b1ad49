import { type RawBuilder, sql } from 'kysely';
import type { Inspection } from './inspection.ts';

/** More rows of one table than this are not named one by one. */
const most = 1_000;
const largest = sql.lit(Number.MAX_SAFE_INTEGER);
const smallest = sql.lit(Number.MIN_SAFE_INTEGER);

/** Tables that the checks read: what names a row, and its whole numbers. */
export const numbers: Readonly<
  Record<string, { readonly key: readonly string[]; readonly columns: readonly string[] }>
> = {
  repo: { key: ['key'], columns: ['created_at'] },
  repo_blob: { key: ['repo', 'digest'], columns: ['size', 'added_at'] },
  package: { key: ['id'], columns: ['events', 'created_at'] },
  version: { key: ['id'], columns: ['event_seq', 'created_at', 'expires_at', 'published_at', 'tombstoned_at'] },
  version_entry: { key: ['version', 'path'], columns: ['size'] },
  version_manifest: { key: ['version'], columns: ['size'] },
  tag: { key: ['package', 'tag'], columns: ['updated_at'] },
  upload: { key: ['id'], columns: ['size', 'made_at'] },
  policy_rule: { key: ['id'], columns: ['made_at', 'removed_at'] },
  quarantine: { key: ['version', 'rule'], columns: ['at', 'released_at'] },
  gate_run: { key: ['id'], columns: ['started_at', 'finished_at'] },
  audit: { key: ['id'], columns: ['id', 'at', 'position'] },
  audit_chain: { key: ['name'], columns: ['position'] },
  outbox: { key: ['id'], columns: ['id', 'aggregate_seq', 'at', 'delivered_at'] },
  receipt: { key: ['id'], columns: ['id', 'number'] },
  snapshot: { key: ['digest'], columns: ['created_at'] },
};

/**
 * A whole number as the checks read it: null for one that is too large, which would end them. `checkNumbers` names it.
 */
export function readable(column: string): RawBuilder<number | null> {
  const ref = sql.ref(column);
  return sql<number | null>`CASE WHEN ${ref} BETWEEN ${smallest} AND ${largest} THEN ${ref} END`;
}

/** Every whole number is one that this program can read: those that are not are named, with their row. */
export async function checkNumbers(inspection: Inspection): Promise<void> {
  const { store } = inspection.registry;
  for (const [table, { key, columns }] of Object.entries(numbers)) {
    if (inspection.stopped) return;
    const text = (column: string) => sql`CAST(${sql.ref(column)} AS TEXT)`;
    const beyond = (column: string) => sql`${sql.ref(column)} NOT BETWEEN ${smallest} AND ${largest}`;
    const query = sql<Readonly<Record<string, string | null>>>`
      SELECT ${sql.join(key.map(text), sql` || ' ' || `)} AS place, ${sql.join(
        columns.map(
          (column) => sql`CASE WHEN ${beyond(column)} THEN ${text(column)} END AS ${sql.ref(`${column}_is`)}`,
        ),
      )}
      FROM ${sql.table(table)} WHERE ${sql.join(columns.map(beyond), sql` OR `)} ORDER BY 1 LIMIT ${sql.lit(most)}`;
    const { rows } = await store.read(({ db }) => query.execute(db));
    for (const row of rows) {
      for (const column of columns) {
        const value = row[`${column}_is`];
        if (typeof value !== 'string') continue;
        inspection.found('row_unreadable', `${table} ${row.place}`, `${column} is ${value}, beyond 2^53 - 1`);
      }
    }
    inspection.looked('tables of numbers');
  }
}
