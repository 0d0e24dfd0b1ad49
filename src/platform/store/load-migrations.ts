import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WaybillError } from '../../contract/errors.ts';
import type { Migration } from './migrations.ts';

const fileName = /^(\d{3})-([a-z0-9-]+)\.sql$/;

/**
 * Reads a feature's migrations from `tables/sqlite/NNN-name.sql` and `tables/postgres/NNN-name.sql`, in the
 * order of their numbers. `tables` is the folder beside the caller, so that it is found in `src/` and in a
 * built `dist/` alike: `loadMigrations('runs', new URL('./tables/', import.meta.url))`.
 * @throws WaybillError `internal` when the two dialects do not hold the same files, or a name has another shape.
 */
export function loadMigrations(feature: string, tables: URL): readonly Migration[] {
  const folder = fileURLToPath(tables);
  const names = sqlFiles(join(folder, 'sqlite'));
  const others = sqlFiles(join(folder, 'postgres'));
  if (names.length === 0 || names.join('\n') !== others.join('\n')) {
    throw broken(feature, 'needs the same files, at least one, for SQLite and for PostgreSQL');
  }
  return names.map((file) => {
    const parts = fileName.exec(file);
    if (parts === null) throw broken(feature, `has a file that is not named NNN-name.sql: ${file}`);
    const [, number = '', name = ''] = parts;
    const sqlite = readFileSync(join(folder, 'sqlite', file), 'utf8');
    const postgres = readFileSync(join(folder, 'postgres', file), 'utf8');
    // A deferred constraint would fail the commit that others share instead of the statement that broke it.
    if (/\bDEFERRABLE\b/i.test(sqlite + postgres)) throw broken(feature, `has a deferrable constraint in ${file}`);
    return { feature, number: Number(number), name, sqlite, postgres };
  });
}

function sqlFiles(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
}

function broken(feature: string, what: string): WaybillError {
  return new WaybillError('internal', `the tables of ${feature}: the folder ${what}`, {
    hint: 'This is a defect of the installation or of a plugin.',
  });
}
