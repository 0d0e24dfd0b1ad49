import type { CompiledQuery, KyselyPlugin } from 'kysely';
import type { ReadTx, Store } from '../../src/platform/store/store.ts';

/** A statement that was run, with its values. */
export interface RecordedQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** A store that notes every query of its reading scopes and selects: what is explained is what the program really asks. */
export function recordQueries(store: Store): { readonly store: Store; readonly queries: RecordedQuery[] } {
  const queries: RecordedQuery[] = [];
  const noting = (tx: ReadTx): KyselyPlugin => ({
    transformQuery: ({ node, queryId }) => {
      const { sql, parameters }: CompiledQuery = tx.db.getExecutor().compileQuery(node, queryId);
      queries.push({ sql, parameters });
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  return {
    queries,
    store: {
      engine: store.engine,
      hints: store.hints,
      read: (scope) => store.read((tx) => scope({ ...tx, db: tx.db.withPlugin(noting(tx)) })),
      write: (scope) => store.write(scope),
      locked: (row, scope, options) => store.locked(row, scope, options),
      select: (sql, values) => {
        queries.push({ sql: sql[store.engine], parameters: values });
        return store.select(sql, values);
      },
      submit: (operation) => store.submit(operation),
      close: () => store.close(),
    },
  };
}
