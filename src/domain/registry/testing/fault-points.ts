import type { KyselyPlugin } from 'kysely';
import type { Store } from '../../../platform/store/store.ts';

/** A store whose locked transactions can be interrupted after each single statement. */
export interface FaultyStore {
  readonly store: Store;
  /** The statements of locked transactions so far, each with what it was: `insert into outbox`. */
  readonly statements: readonly string[];
  /** How often the fault fired. */
  readonly fired: number;
}

/**
 * Wraps a store: after the n-th statement of a locked transaction has been executed, `fault` is called, which throws or
 * ends the process. Null lets everything pass, and counts. `alsoWrites`: statements of `store.write` are counted too.
 */
export function faultAfter(
  real: Store,
  nth: number | null,
  fault: () => never,
  { alsoWrites = false }: { readonly alsoWrites?: boolean } = {},
): FaultyStore {
  const statements: string[] = [];
  let fired = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      statements.push(node.kind.replace('QueryNode', '').toLowerCase());
      return node;
    },
    transformResult: async ({ result }) => {
      if (statements.length !== nth) return result;
      fired++;
      return fault();
    },
  };
  return {
    store: {
      engine: real.engine,
      hints: real.hints,
      read: (scope) => real.read(scope),
      write: (scope) =>
        real.write((tx) => {
          if (!alsoWrites) return scope(tx);
          return scope({ ...tx, db: tx.db.withPlugin(plugin) });
        }),
      locked: (row, scope, options) =>
        real.locked(
          row,
          (tx) => {
            // Before the first statement, holding nothing but the lock.
            if (nth === 0) {
              fired++;
              fault();
            }
            return scope({ ...tx, db: tx.db.withPlugin(plugin) });
          },
          options,
        ),
      select: (sql, values) => real.select(sql, values),
      submit: (operation) => real.submit(operation),
      close: () => real.close(),
    },
    statements,
    get fired() {
      return fired;
    },
  };
}
