import { chmodSync, existsSync, statSync } from 'node:fs';
import { constants, DatabaseSync, type StatementSync } from 'node:sqlite';
import type { CompiledQuery, QueryResult } from 'kysely';
import { refuseOtherStatements } from '../statement-kind.ts';
import { storable } from '../storable.ts';
import type { PreparedSql, SqlRow, SqlValue } from '../store.ts';
import { unreadableNumber } from '../unreadable-number.ts';
import { databaseMoved, isNumberTooLarge, sqliteError } from './errors.ts';

/** Statements of closures kept prepared; the oldest goes when there are more. */
const keptStatements = 500;

const readActions = new Set([
  constants.SQLITE_SELECT,
  constants.SQLITE_READ,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_RECURSIVE,
]);
const writeActions = new Set([
  ...readActions,
  constants.SQLITE_INSERT,
  constants.SQLITE_UPDATE,
  constants.SQLITE_DELETE,
]);

/**
 * One connection. Its authorizer is set once, before anything is prepared, and is awake only while a statement
 * of a closure or an operation is prepared: setting it anew for each would make SQLite prepare every statement
 * again. Running a statement does not ask it, so it costs nothing on the hot path.
 */
export class SqliteConnection {
  readonly database: DatabaseSync;
  readonly #prepared = new Map<PreparedSql, StatementSync>();
  readonly #closures = new Map<string, { readonly statement: StatementSync; readonly reads: boolean }>();
  readonly #actions: ReadonlySet<number>;
  readonly #path: string;
  readonly #file: string | undefined;
  #dataVersion: StatementSync | undefined;
  #guarding = false;

  constructor(path: string, mode: 'read' | 'write') {
    const isNew = mode === 'write' && !existsSync(path);
    // No busy timeout: it would put the whole event loop to sleep; who waits does so with timers.
    this.database = new DatabaseSync(path, {
      readOnly: mode === 'read',
      timeout: 0,
      allowExtension: false,
      defensive: true,
    });
    this.#actions = mode === 'read' ? readActions : writeActions;
    this.database.setAuthorizer((action) =>
      this.#guarding && !this.#actions.has(action) ? constants.SQLITE_DENY : constants.SQLITE_OK,
    );
    // By path, not by descriptor: closing a second descriptor of the file would drop SQLite's locks on it.
    if (isNew) chmodSync(path, 0o600);
    this.#path = path;
    this.#file = fileAt(path);
  }

  /**
   * The file of this connection is still the one at its path. With a write-ahead log SQLite does not look, and would
   * go on for ever in a file that nobody else can open: what it says is stored would be gone with the process.
   * @throws WaybillError `store_unavailable`
   */
  assertInPlace(): void {
    if (fileAt(this.#path) !== this.#file) throw databaseMoved();
  }

  /** The statement of an operation or a select, prepared at its first use. */
  prepared(sql: PreparedSql): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#prepareGuarded(sql.sqlite);
    this.#prepared.set(sql, statement);
    return statement;
  }

  /** Runs a closure's query under the authorizer. @throws WaybillError */
  async query(query: CompiledQuery): Promise<QueryResult<unknown>> {
    try {
      const { statement, reads } = this.#closureStatement(query.sql);
      const values = query.parameters.map(storable);
      if (reads) {
        const rows = allRows(statement, values);
        return { rows, numAffectedRows: BigInt(rows.length) };
      }
      const { changes, lastInsertRowid } = statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    } catch (error) {
      throw sqliteError(error);
    }
  }

  /** Changes when another connection has committed, and never for a commit of this one; undefined when it cannot be told. */
  othersVersion(): number | undefined {
    if (!this.database.isOpen) return undefined;
    try {
      this.#dataVersion ??= this.database.prepare('PRAGMA data_version');
      return Number(this.#dataVersion.get()?.data_version);
    } catch {
      // Only hints depend on it, and a hint may be missing: who follows reads the store and meets the real error.
      return undefined;
    }
  }

  close(): void {
    this.#prepared.clear();
    this.#closures.clear();
    if (this.database.isOpen) this.database.close();
  }

  #prepareGuarded(sql: string): StatementSync {
    this.#guarding = true;
    try {
      return this.database.prepare(sql);
    } finally {
      this.#guarding = false;
    }
  }

  #closureStatement(sql: string): { readonly statement: StatementSync; readonly reads: boolean } {
    const known = this.#closures.get(sql);
    if (known !== undefined) return known;
    refuseOtherStatements(sql);
    const statement = this.#prepareGuarded(sql);
    const entry = { statement, reads: statement.columns().length > 0 };
    const [oldest] = this.#closures.size >= keptStatements ? this.#closures.keys() : [];
    if (oldest !== undefined) this.#closures.delete(oldest);
    this.#closures.set(sql, entry);
    return entry;
  }
}

/**
 * All rows of a statement.
 * @throws WaybillError `store_corrupt` naming the column of a number that is too large; else what the engine throws
 */
export function allRows(statement: StatementSync, values: readonly SqlValue[]): SqlRow[] {
  try {
    return statement.all(...values);
  } catch (error) {
    if (!isNumberTooLarge(error)) throw error;
    throw unreadableNumber({ engine: 'sqlite', ...tooLargeColumn(statement, values) });
  }
}

/** Reads again what was asked for, with all its digits: only a select may run twice. */
function tooLargeColumn(statement: StatementSync, values: readonly SqlValue[]) {
  if (!/^\s*select\b/i.test(statement.sourceSQL)) return {};
  statement.setReadBigInts(true);
  try {
    const columns = statement.columns();
    for (const row of statement.iterate(...values)) {
      const found = columns.find(({ name }) => {
        const value = row[name];
        return typeof value === 'bigint' && !Number.isSafeInteger(Number(value));
      });
      if (found !== undefined) return { table: found.table ?? undefined, column: found.column ?? found.name };
    }
    return {};
  } finally {
    statement.setReadBigInts(false);
  }
}

function fileAt(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}
