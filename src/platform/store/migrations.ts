import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { digestOf } from '../digests/digest.ts';

/** One step of a feature's schema. Forward only: once released, its text never changes. */
export interface Migration {
  readonly feature: string;
  readonly number: number;
  readonly name: string;
  readonly sqlite: string;
  readonly postgres: string;
}

/** A row of `schema_migration`. */
export interface AppliedMigration {
  readonly feature: string;
  readonly number: number;
  readonly name: string;
  readonly digest: string;
}

export interface PendingMigration {
  readonly feature: string;
  readonly number: number;
  readonly name: string;
  readonly digest: Digest;
  readonly sql: string;
}

/**
 * What is still to be applied, in the order given.
 * @throws WaybillError `store_newer_schema` when the database holds migrations this program does not know,
 * `store_migration_changed` when one it knows has another text, or one would come before an applied one.
 */
export function pendingMigrations(
  engine: 'sqlite' | 'postgres',
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly PendingMigration[] {
  const left = new Map(applied.map((row) => [`${row.feature} ${row.number}`, row]));
  const newest = new Map<string, number>();
  for (const row of applied) newest.set(row.feature, Math.max(row.number, newest.get(row.feature) ?? 0));
  const pending: PendingMigration[] = [];
  for (const migration of known) {
    const { feature, number, name } = migration;
    const sql = migration[engine];
    const digest = digestOf(sql);
    const row = left.get(`${feature} ${number}`);
    left.delete(`${feature} ${number}`);
    if (row === undefined) {
      if (number < (newest.get(feature) ?? 0)) throw changed(migration, 'comes before one that is already applied');
      pending.push({ feature, number, name, digest, sql });
    } else if (row.digest !== digest) {
      throw changed(migration, 'is not the text that was applied to this database');
    }
  }
  const [unknown] = left.values();
  if (unknown !== undefined) {
    throw new WaybillError(
      'store_newer_schema',
      `the database was written by a newer waybill: it has the migration ${label(unknown)}`,
      {
        hint: 'Use the newer version; a schema is never taken back.',
        details: { feature: unknown.feature, number: unknown.number, name: unknown.name },
      },
    );
  }
  return pending;
}

function changed(migration: Migration, how: string): WaybillError {
  return new WaybillError('store_migration_changed', `the migration ${label(migration)} ${how}`, {
    hint: 'Restore the file as it was released and put the change into a new migration.',
    details: { feature: migration.feature, number: migration.number, name: migration.name },
  });
}

/** `runs/001-runs`: how a migration is named to people. */
export function label({
  feature,
  number,
  name,
}: {
  readonly feature: string;
  readonly number: number;
  readonly name: string;
}): string {
  return `${feature}/${String(number).padStart(3, '0')}-${name}`;
}
