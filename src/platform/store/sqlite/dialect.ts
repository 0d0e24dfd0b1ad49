import { type Dialect, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { refusingDriver, type ScopeDialect } from '../scope-database.ts';

const dialect: Dialect = {
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => refusingDriver,
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
};

/** How Kysely writes SQL for SQLite. */
export const sqliteDialect: ScopeDialect = {
  adapter: dialect.createAdapter(),
  compiler: dialect.createQueryCompiler(),
  dialect,
};
