import pg from 'pg';
import { WaybillError } from '../../../contract/errors.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { capability } from '../capability.ts';
import type { Migration } from '../migrations.ts';
import { rowMissing, storeClosed } from '../refusals.ts';
import { refuseNesting, Scope } from '../scope.ts';
import { scopeDatabase } from '../scope-database.ts';
import type { LockedTx, Operation, PreparedSql, ReadTx, RowKey, SqlRow, SqlValue, Store, WriteTx } from '../store.ts';
import { clientConfig, defaultWaitMs, makePool, type PostgresConnection, ScopeConnection } from './connection.ts';
import { postgresDialect } from './dialect.ts';
import { engineCode, postgresError } from './errors.ts';
import { PostgresHints } from './hints.ts';
import { migratePostgres } from './migrate.ts';
import { nameOf } from './prepared-name.ts';
import { allOf, commit, PostgresWriter, rollback } from './writer.ts';

export interface PostgresStoreOptions {
  /** Logs in as the owner of the schema, or as someone who may become it. */
  readonly connection: PostgresConnection;
  /** The schema that holds our tables; made when it is missing. */
  readonly schema?: string;
  /** The role the program acts as once migrations are done; it owns nothing, so no trigger is in its reach. */
  readonly role?: string;
  readonly migrations: readonly Migration[];
  readonly poolSize?: number;
  readonly clock?: Clock;
}

const plainName = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * Opens, and where needed migrates, a store on a PostgreSQL database that exists.
 * @throws WaybillError `store_unavailable`, `store_newer_schema`, `store_migration_changed`, `config_invalid`
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { connection, schema = 'public', role, migrations, poolSize = 10, clock = systemClock } = options;
  for (const name of [schema, role ?? 'none']) {
    if (!plainName.test(name)) {
      throw new WaybillError(
        'config_invalid',
        `not a name for a PostgreSQL schema or role: ${JSON.stringify(name).slice(0, 80)}`,
        {
          hint: 'Use lower-case letters, digits and underscores.',
        },
      );
    }
  }
  try {
    await migratePostgres({ connection, schema, role, migrations, clock });
  } catch (error) {
    throw setUpError(error);
  }
  const pool = makePool(connection, { schema, role }, poolSize);
  return new PostgresStore(pool, new PostgresHints(pool, clientConfig(connection, { schema, role })));
}

function setUpError(error: unknown): unknown {
  if (engineCode(error) !== '42501') return postgresError(error);
  return new WaybillError('store_unavailable', 'the database user lacks a right that setting up the tables needs', {
    hint: 'Connect as the owner of the schema; to make a missing role, that user needs CREATEROLE.',
    details: { engine: 'postgres', engineCode: '42501' },
  });
}

class PostgresStore implements Store {
  readonly engine = 'postgres';
  readonly hints: PostgresHints;
  readonly #pool: pg.Pool;
  readonly #writer: PostgresWriter;
  readonly #scopes = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(pool: pg.Pool, hints: PostgresHints) {
    this.#pool = pool;
    this.#writer = new PostgresWriter(pool);
    this.hints = hints;
  }

  async read<T>(body: (tx: ReadTx) => Promise<T>): Promise<T> {
    refuseNesting('read');
    const scope = new Scope();
    // One state from the first to the last query, as a reading transaction has it on SQLite.
    return this.#scope(scope, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', (connection) =>
      scope.run(() => body(capability.read(scopeDatabase(postgresDialect, scope, (query) => connection.query(query))))),
    );
  }

  async write<T>(body: (tx: WriteTx) => Promise<T>): Promise<T> {
    refuseNesting('write');
    const scope = new Scope();
    return this.#scope(scope, 'BEGIN', (connection) =>
      scope.run(() =>
        body(capability.write(scopeDatabase(postgresDialect, scope, (query) => connection.query(query)))),
      ),
    );
  }

  async locked<T>(
    row: RowKey,
    body: (tx: LockedTx) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T> {
    refuseNesting('locked');
    const scope = new Scope();
    return this.#scope(scope, 'BEGIN', async (connection, client) => {
      await lockRow(client, row, options?.timeoutMs ?? defaultWaitMs);
      return scope.run(() =>
        body(capability.locked(scopeDatabase(postgresDialect, scope, (query) => connection.query(query)))),
      );
    });
  }

  async select(sql: PreparedSql, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    refuseNesting('select');
    if (this.#closing !== undefined) throw storeClosed();
    try {
      const client = await this.#pool.connect();
      let broken: Error | undefined;
      try {
        // Sent together: one round trip, and a statement that would write is refused as it is on SQLite.
        const request = { name: nameOf(sql), text: sql.postgres, values: [...values] };
        const [, result] = await allOf<pg.QueryResult<SqlRow>>([
          client.query('BEGIN READ ONLY'),
          client.query(request),
          client.query('COMMIT'),
        ]);
        return result?.rows ?? [];
      } catch (error) {
        broken = await rollback(client);
        throw error;
      } finally {
        client.release(broken);
      }
    } catch (error) {
      throw postgresError(error);
    }
  }

  async submit(operation: Operation): Promise<void> {
    refuseNesting('submit');
    return this.#writer.submit(operation);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([this.#writer.close(), this.hints.close(), ...this.#scopes]);
    await this.#pool.end();
  }

  #scope<T>(
    scope: Scope,
    begin: string,
    body: (connection: ScopeConnection, client: pg.ClientBase) => Promise<T>,
  ): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(storeClosed());
    const work = this.#transaction(scope, begin, body);
    this.#scopes.add(work);
    const forget = (): void => {
      this.#scopes.delete(work);
    };
    work.then(forget, forget);
    return work;
  }

  async #transaction<T>(
    scope: Scope,
    begin: string,
    body: (connection: ScopeConnection, client: pg.ClientBase) => Promise<T>,
  ): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw postgresError(error);
    }
    let broken: Error | undefined;
    try {
      await client.query(begin);
      const value = await body(new ScopeConnection(client), client);
      await commit(client);
      return value;
    } catch (error) {
      await scope.settled();
      broken = await rollback(client);
      throw postgresError(error);
    } finally {
      client.release(broken);
    }
  }
}

async function lockRow(client: pg.ClientBase, { table, key }: RowKey, timeoutMs: number): Promise<void> {
  const where = Object.keys(key).map((name, index) => `${pg.escapeIdentifier(name)} = $${index + 1}`);
  try {
    const text = `SELECT 1 FROM ${pg.escapeIdentifier(table)} WHERE ${where.join(' AND ')} FOR UPDATE`;
    const limit = "SELECT set_config('lock_timeout', $1, true)";
    // The time limit is for this row alone; zero would mean to wait for ever.
    const [, found] = await allOf([
      client.query(limit, [String(Math.max(1, Math.round(timeoutMs)))]),
      client.query({ text, values: Object.values(key) }),
      client.query(limit, [String(defaultWaitMs)]),
    ]);
    if (found?.rowCount !== 1) throw rowMissing(table);
  } catch (error) {
    if (engineCode(error) !== '55P03') throw error;
    throw new WaybillError(
      'transaction_lock_timeout',
      `another transaction kept the row of ${table} locked for ${timeoutMs} ms`,
      {
        hint: 'Try again.',
        details: { table, timeoutMs },
      },
    );
  }
}
