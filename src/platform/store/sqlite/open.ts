import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Kysely } from 'kysely';
import { WaybillError } from '../../../contract/errors.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { capability } from '../capability.ts';
import type { HintSource } from '../hint-board.ts';
import type { Migration } from '../migrations.ts';
import { rowMissing } from '../refusals.ts';
import { refuseNesting, Scope } from '../scope.ts';
import type {
  Database,
  Hints,
  LockedTx,
  Operation,
  PreparedSql,
  ReadTx,
  RowKey,
  SqlRow,
  SqlValue,
  Store,
  WriteTx,
} from '../store.ts';
import { SqliteConnection } from './connection.ts';
import { makeDurable } from './durability.ts';
import { sqliteError } from './errors.ts';
import { SqliteHints } from './hints.ts';
import { defaultLockWaitMs } from './lock-wait.ts';
import { migrateSqlite } from './migrate.ts';
import { SqliteReader } from './reader.ts';
import { SqliteWriter } from './writer.ts';

export interface SqliteStoreOptions {
  /** The database file; its folder must exist. */
  readonly path: string;
  readonly migrations: readonly Migration[];
  readonly clock?: Clock;
  /** How long a write waits for another process's lock before it fails with `store_busy`. */
  readonly lockWaitMs?: number;
}

/**
 * Opens, and where needed creates and migrates, the embedded store.
 * @throws WaybillError `store_unavailable`, `store_read_only`, `store_corrupt`, `store_full`, `store_busy`,
 * `store_newer_schema`, `store_migration_changed`
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, migrations, clock = systemClock, lockWaitMs = defaultLockWaitMs } = options;
  let connection: SqliteConnection | undefined;
  try {
    connection = new SqliteConnection(path, 'write');
    await makeDurable(connection.database, lockWaitMs);
    await migrateSqlite(connection.database, migrations, clock, lockWaitMs);
    return new SqliteStore(path, connection, lockWaitMs);
  } catch (error) {
    connection?.close();
    throw openError(sqliteError(error), dirname(path));
  }
}

/** SQLite has one code for a folder that is not there and one that may not be written; people need to know which. */
function openError(error: unknown, folder: string): unknown {
  if (!(error instanceof WaybillError) || error.code !== 'store_unavailable' || !existsSync(folder)) return error;
  try {
    accessSync(folder, constants.W_OK);
    return error;
  } catch {
    return new WaybillError('store_read_only', `the data folder cannot be written: ${folder}`, {
      hint: 'Check its permissions and whether its file system is mounted read-only.',
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
}

class SqliteStore implements Store {
  readonly engine = 'sqlite';
  readonly hints: Hints & HintSource;
  readonly #connection: SqliteConnection;
  readonly #writer: SqliteWriter;
  readonly #reader: SqliteReader;
  #closing: Promise<void> | undefined;

  constructor(path: string, connection: SqliteConnection, lockWaitMs: number) {
    this.#connection = connection;
    this.#writer = new SqliteWriter(connection, lockWaitMs);
    this.#reader = new SqliteReader(path, lockWaitMs);
    this.hints = new SqliteHints(path, () => connection.othersVersion());
  }

  async read<T>(body: (tx: ReadTx) => Promise<T>): Promise<T> {
    refuseNesting('read');
    const scope = new Scope();
    const database = openDatabase ?? (await loadKysely());
    return this.#reader.scope((connection) => {
      const tx = capability.read(database(scope, connection));
      return scope.run(() => body(tx));
    });
  }

  async write<T>(body: (tx: WriteTx) => Promise<T>): Promise<T> {
    refuseNesting('write');
    const scope = new Scope();
    const database = openDatabase ?? (await loadKysely());
    return this.#writer.scope(() => {
      const tx = capability.write(database(scope, this.#connection));
      return scope.run(() => body(tx));
    });
  }

  async locked<T>(
    row: RowKey,
    body: (tx: LockedTx) => Promise<T>,
    options?: { readonly timeoutMs?: number },
  ): Promise<T> {
    refuseNesting('locked');
    const scope = new Scope();
    const database = openDatabase ?? (await loadKysely());
    return this.#writer.scope(
      () => {
        // The one writer is the lock: nobody else can write anything until this scope has ended.
        if (!this.#exists(row)) throw rowMissing(row.table);
        const tx = capability.locked(database(scope, this.#connection));
        return scope.run(() => body(tx));
      },
      { waitMs: options?.timeoutMs ?? defaultLockWaitMs },
    );
  }

  async select(sql: PreparedSql, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    refuseNesting('select');
    return this.#reader.select(sql, values);
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
    this.hints.close();
    await Promise.all([this.#writer.close(), this.#reader.close()]);
    this.#connection.close();
  }

  #exists({ table, key }: RowKey): boolean {
    const names = Object.keys(key);
    const where = names.map((name) => `${quoted(name)} = ?`).join(' AND ');
    const statement = this.#connection.database.prepare(`SELECT 1 FROM ${quoted(table)} WHERE ${where}`);
    return statement.get(...Object.values(key)) !== undefined;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

type OpenDatabase = (scope: Scope, connection: SqliteConnection) => Kysely<Database>;
let openDatabase: OpenDatabase | undefined;

/** Kysely takes longer to load than everything else here, and most commands only submit. */
async function loadKysely(): Promise<OpenDatabase> {
  const [{ scopeDatabase }, { sqliteDialect }] = await Promise.all([
    import('../scope-database.ts'),
    import('./dialect.ts'),
  ]);
  openDatabase = (scope, connection) => scopeDatabase(sqliteDialect, scope, (query) => connection.query(query));
  return openDatabase;
}
