import { type Dialect, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { refusingDriver, type ScopeDialect } from '../scope-database.ts';

const dialect: Dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => refusingDriver,
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
};

/** How Kysely writes SQL for PostgreSQL. */
export const postgresDialect: ScopeDialect = {
  adapter: dialect.createAdapter(),
  compiler: dialect.createQueryCompiler(),
  dialect,
};
