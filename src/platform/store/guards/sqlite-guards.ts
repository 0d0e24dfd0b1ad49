import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Migration } from '../migrations.ts';
import type { PreparedSql } from '../store.ts';
import type { Guard } from './guard.ts';

const select = `SELECT type, name, tbl_name, sql FROM sqlite_schema
  WHERE type IN ('trigger', 'table', 'index') AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name`;
export const selectSqliteGuards: PreparedSql = { sqlite: select, postgres: select };

const row = z.object({
  type: z.enum(['trigger', 'table', 'index']),
  name: z.string(),
  tbl_name: z.string(),
  sql: z.string(),
});

/** A row of `sqlite_schema`: SQLite keeps the text as it was given, so the text is the definition. */
export function sqliteGuard(found: unknown): Guard {
  const { type, name, tbl_name, sql } = row.parse(found);
  return { kind: type, name, table: tbl_name, definition: sql };
}

/** What the migrations make, found out by applying them to a database in memory. */
export function expectedSqliteGuards(migrations: readonly Migration[]): readonly Guard[] {
  const database = new DatabaseSync(':memory:');
  try {
    for (const { sqlite } of migrations) database.exec(sqlite);
    return database.prepare(select).all().map(sqliteGuard);
  } finally {
    database.close();
  }
}
