import type { DatabaseSync } from 'node:sqlite';
import { WaybillError } from '../../../contract/errors.ts';
import type { Clock } from '../../clock/clock.ts';
import { type AppliedMigration, label, type Migration, pendingMigrations } from '../migrations.ts';
import { isBusy, sqliteError } from './errors.ts';
import { retryWhileBusy } from './lock-wait.ts';

const createTable = `CREATE TABLE IF NOT EXISTS schema_migration (
  feature TEXT NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  PRIMARY KEY (feature, number)
) STRICT`;

/**
 * Brings the schema up to date: one query when it is, else one transaction for all that is missing. Two
 * processes may do this at once: the second finds the work done when it gets the lock.
 * @throws WaybillError `store_newer_schema`, `store_migration_changed`, or what stopped a migration.
 */
export async function migrateSqlite(
  database: DatabaseSync,
  migrations: readonly Migration[],
  clock: Clock,
  waitMs: number,
): Promise<void> {
  const pending = await retryWhileBusy(() => pendingMigrations('sqlite', migrations, applied(database)), waitMs);
  if (pending.length === 0) return;
  await retryWhileBusy(() => database.exec('BEGIN IMMEDIATE'), waitMs);
  try {
    database.exec(createTable);
    const insert = database.prepare(
      'INSERT INTO schema_migration (feature, number, name, digest, applied_at) VALUES (?, ?, ?, ?, ?)',
    );
    for (const migration of pendingMigrations('sqlite', migrations, applied(database))) {
      try {
        database.exec(migration.sql);
      } catch (error) {
        throw failed(label(migration), error);
      }
      insert.run(migration.feature, migration.number, migration.name, migration.digest, clock.now());
    }
    database.exec('COMMIT');
  } finally {
    if (database.isTransaction) database.exec('ROLLBACK');
  }
}

function applied(database: DatabaseSync): AppliedMigration[] {
  let rows: Record<string, unknown>[];
  try {
    rows = database.prepare('SELECT feature, number, name, digest FROM schema_migration').all();
  } catch (error) {
    const exists = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'").get() !== undefined;
    if (exists) throw error;
    return [];
  }
  return rows.map(({ feature, number, name, digest }) => ({
    feature: String(feature),
    number: Number(number),
    name: String(name),
    digest: String(digest),
  }));
}

function failed(migration: string, error: unknown): unknown {
  const known = sqliteError(error);
  if (
    isBusy(error) ||
    (known instanceof WaybillError && known.code !== 'internal' && known.code !== 'store_constraint')
  )
    return known;
  // The text of a migration is ours, so here the engine's words help and leak nothing.
  const words = error instanceof Error ? error.message : 'unknown error';
  return new WaybillError('internal', `the migration ${migration} failed: ${words}`, {
    hint: 'The database is unchanged. Correct the migration.',
    details: { migration },
  });
}
