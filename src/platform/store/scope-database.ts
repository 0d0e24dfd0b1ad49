import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  type QueryCompiler,
  type QueryResult,
} from 'kysely';
import { WaybillError } from '../../contract/errors.ts';
import type { Scope } from './scope.ts';
import type { Database } from './store.ts';

/** Runs one compiled query on the connection a scope holds; throws WaybillErrors only. */
export type RunQuery = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/** What a dialect brings to Kysely: how to write SQL; connections and transactions stay with the store. */
export interface ScopeDialect {
  readonly adapter: DialectAdapter;
  readonly compiler: QueryCompiler;
  readonly dialect: Dialect;
}

/** Begin and commit belong to the store; a closure that asks Kysely for them is told so. */
export const refusingDriver: Driver = {
  init: async () => {},
  destroy: async () => {},
  acquireConnection: () => refuse(),
  releaseConnection: () => refuse(),
  beginTransaction: () => refuse(),
  commitTransaction: () => refuse(),
  rollbackTransaction: () => refuse(),
};

function refuse(): Promise<never> {
  return Promise.reject(
    new WaybillError('transaction_denied', 'a transaction scope cannot control transactions', {
      hint: 'Returning from the scope commits, throwing rolls back.',
    }),
  );
}

/** The Kysely of one scope: every query passes the scope's rules and runs on the scope's connection. */
export function scopeDatabase(
  { adapter, compiler, dialect }: ScopeDialect,
  scope: Scope,
  run: RunQuery,
): Kysely<Database> {
  const connection: DatabaseConnection = {
    // The rows' shape is the query builder's promise, checked at compile time against `Database`.
    executeQuery: async <R>(query: CompiledQuery) => (await run(query)) as QueryResult<R>,
    // biome-ignore lint/correctness/useYield: refuses before there is anything to yield.
    streamQuery: async function* () {
      throw new WaybillError('transaction_denied', 'a transaction scope cannot stream', {
        hint: 'Read pages with a limit.',
      });
    },
  };
  const executor = new DefaultQueryExecutor(compiler, adapter, {
    provideConnection: (consumer) => scope.query(() => consumer(connection)),
  });
  return new Kysely<Database>({ config: { dialect }, dialect, driver: refusingDriver, executor });
}
