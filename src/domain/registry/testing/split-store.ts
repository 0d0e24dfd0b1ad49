import {
  type CompiledQuery,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Database, Store } from '../../../platform/store/store.ts';

/**
 * A store that is broken on purpose: what should be one locked transaction commits each statement by itself. What a proof
 * of atomicity says of it must be that it is not atomic; else the proof proves nothing.
 */
export function splitStore(store: Store): Store {
  const sqlite = store.engine === 'sqlite';
  const connection = {
    executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> =>
      await store.write(({ db }) => db.executeQuery<R>(query)),
    // biome-ignore lint/correctness/useYield: nothing here streams.
    streamQuery: async function* (): AsyncGenerator<never> {
      throw new Error('not here');
    },
  };
  const split = new Kysely<Database>({
    dialect: {
      createAdapter: () => (sqlite ? new SqliteAdapter() : new PostgresAdapter()),
      createIntrospector: (db) => (sqlite ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
      createQueryCompiler: () => (sqlite ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
      createDriver: () => ({
        init: async () => {},
        destroy: async () => {},
        acquireConnection: async () => connection,
        releaseConnection: async () => {},
        beginTransaction: async () => {},
        commitTransaction: async () => {},
        rollbackTransaction: async () => {},
      }),
    },
  });
  return {
    engine: store.engine,
    hints: store.hints,
    read: (scope) => store.read(scope),
    write: (scope) => store.write(scope),
    locked: async (row, scope) => await scope({ ...(await store.locked(row, async (tx) => tx)), db: split }),
    select: (sql, values) => store.select(sql, values),
    submit: (operation) => store.submit(operation),
    close: () => store.close(),
  };
}
