import type { StatementSync } from 'node:sqlite';
import { storeClosed } from '../refusals.ts';
import type { PreparedSql, SqlRow, SqlValue } from '../store.ts';
import { allRows, SqliteConnection } from './connection.ts';
import { sqliteError } from './errors.ts';
import { retryWhileBusy } from './lock-wait.ts';

interface Opened {
  readonly connection: SqliteConnection;
  readonly begin: StatementSync;
  readonly look: StatementSync;
  readonly end: StatementSync;
}

/**
 * Reading scopes, one after the other on one `readOnly` connection: queries are synchronous and a scope awaits
 * nothing else, so a second connection would gain nothing. Opened at the first use.
 */
export class SqliteReader {
  readonly #path: string;
  readonly #waitMs: number;
  #opened: Opened | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(path: string, waitMs: number) {
    this.#path = path;
    this.#waitMs = waitMs;
  }

  /** Runs `body` in a transaction that sees one state of the database from its first to its last query. */
  scope<T>(body: (connection: SqliteConnection) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(storeClosed());
    return this.#inTurn(() => this.#run(body));
  }

  /** One statement, which sees one state by itself. */
  select(sql: PreparedSql, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    if (this.#closed) return Promise.reject(storeClosed());
    return this.#inTurn(async () => {
      try {
        return await retryWhileBusy(() => allRows(this.#open().connection.prepared(sql), values), this.#waitMs);
      } catch (error) {
        throw sqliteError(error);
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    this.#opened?.connection.close();
  }

  async #run<T>(body: (connection: SqliteConnection) => Promise<T>): Promise<T> {
    let opened: Opened;
    try {
      opened = await retryWhileBusy(() => this.#begin(), this.#waitMs);
    } catch (error) {
      throw sqliteError(error);
    }
    try {
      return await body(opened.connection);
    } finally {
      if (opened.connection.database.isTransaction) opened.end.run();
    }
  }

  /** The first look takes the snapshot, so that a busy file is met here and never in the middle of a scope. */
  #begin(): Opened {
    const opened = this.#open();
    opened.begin.run();
    try {
      opened.look.get();
    } catch (error) {
      opened.end.run();
      throw error;
    }
    return opened;
  }

  #open(): Opened {
    if (this.#opened !== undefined) {
      this.#opened.connection.assertInPlace();
      return this.#opened;
    }
    const connection = new SqliteConnection(this.#path, 'read');
    try {
      const { database } = connection;
      this.#opened = {
        connection,
        begin: database.prepare('BEGIN'),
        look: database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1'),
        end: database.prepare('ROLLBACK'),
      };
      return this.#opened;
    } catch (error) {
      connection.close();
      throw error;
    }
  }
}
