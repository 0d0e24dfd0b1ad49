import type { Kysely } from 'kysely';

/**
 * All tables, by name. Empty here on purpose: each feature adds its own by declaration merging from its
 * `tables.ts`, so the store stays free of domain words and every query is still checked by the compiler.
 */
// biome-ignore lint/suspicious/noEmptyInterface: merged into by the features.
export interface Database {}

/** What SQLite and PostgreSQL both can hold; times are integers in microseconds, booleans 0/1. */
export type SqlValue = string | number | bigint | Uint8Array | null;

declare const capability: unique symbol;

/** May read. On SQLite a `readOnly` connection, on PostgreSQL a read-only transaction. */
export interface ReadTx {
  readonly [capability]: { readonly read: true };
  readonly db: Kysely<Database>;
}

/** May read and write; commit is returning, rollback is throwing. */
export interface WriteTx {
  readonly [capability]: { readonly read: true; readonly write: true };
  readonly db: Kysely<Database>;
}

/** May write, and holds the lock on one row. */
export interface LockedTx {
  readonly [capability]: { readonly read: true; readonly write: true; readonly locked: true };
  readonly db: Kysely<Database>;
}

/** The row a `locked` scope holds: a table, its key columns and their values. */
export interface RowKey {
  readonly table: keyof Database & string;
  readonly key: Readonly<Record<string, string | number>>;
}

/**
 * One statement of an operation: text per dialect, compiled and prepared once per connection and kept by
 * identity, so make each a module-level constant. Placeholders are `?` (SQLite) and `$1`, `$2` (PostgreSQL).
 */
export interface PreparedSql {
  readonly sqlite: string;
  readonly postgres: string;
}

export interface OperationStatement {
  readonly sql: PreparedSql;
  /** Values of each execution, in placeholder order. PostgreSQL may send several rows at once. */
  readonly rows: readonly (readonly SqlValue[])[];
  /** When given, the sum of changed rows must equal it, else the whole operation fails with `refuse()`. */
  readonly expectChanges?: number;
  readonly refuse?: () => Error;
}

/** A write made of prepared statements and values only: nothing to await, so it can share a commit with others. */
export interface Operation {
  readonly statements: readonly OperationStatement[];
  /**
   * Operations of one lane are executed in the order of their submission and never overlap. When one fails, those
   * of its lane already queued behind it are rejected with `store_lane_failed`: they were made for a state that
   * never came to be. What is submitted after the failure was reported is tried again.
   */
  readonly lane?: string;
}

/** A row as the engine gives it; who asked for it knows its columns. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** A hint that something may have changed; the store is the truth, so a hint may be early, late or missing. */
export interface Hints {
  /** Tell followers in this process, and in others where the engine can, that `topic` may have news. */
  announce(topic: string): void;
  /**
   * Resolves at the next hint on `topic` or after `timeoutMs`, whichever is first; never rejects.
   * Subscribe before reading the store, or a hint can fall between the read and the wait: `subscribe`.
   */
  subscribe(topic: string): HintSubscription;
}

export interface HintSubscription extends Disposable {
  /** Resolves true when a hint came since the last call, false at the timeout or abort. */
  next(timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
}

export interface Store {
  readonly engine: 'sqlite' | 'postgres';
  /**
   * Runs `scope` on one state of the database. A scope awaits its own queries and nothing else.
   * @throws WaybillError `transaction_*` naming the broken rule, else what the scope threw, else `store_*`.
   */
  read<T>(scope: (tx: ReadTx) => Promise<T>): Promise<T>;
  /**
   * Runs `scope` once; returning commits, throwing rolls back. Resolves when the commit is durable. On PostgreSQL
   * others commit meanwhile: what is read to be changed needs `locked`, or a change made in the statement itself.
   * @throws WaybillError as `read`
   */
  write<T>(scope: (tx: WriteTx) => Promise<T>): Promise<T>;
  /**
   * As `write`, holding the lock on one row that exists.
   * @throws WaybillError `transaction_lock_timeout` when another holder keeps the row past `timeoutMs` (10 s unless
   * given), `store_row_missing` when there is no such row, or as `read`.
   */
  locked<T>(row: RowKey, scope: (tx: LockedTx) => Promise<T>, options?: { readonly timeoutMs?: number }): Promise<T>;
  /**
   * Runs one reading statement, prepared once and kept: for paths that are hot, or that end before loading Kysely
   * for a closure would have paid. Everything else reads in a scope, where the compiler checks the query.
   * @throws WaybillError `store_*`, `transaction_denied` when it would write, `transaction_nested`
   */
  select(sql: PreparedSql, values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /**
   * Runs an operation in the next group commit; resolves when it is durable, rejects when it left no trace (only a
   * connection lost during a commit leaves that open: `store_unavailable` with `details.outcome` `unknown`).
   * @throws WaybillError `store_*`, what a trigger names, or the error of `refuse`
   */
  submit(operation: Operation): Promise<void>;
  readonly hints: Hints;
  /** Finishes what was begun, refuses all else with `store_closed`, and lets go of files and connections. */
  close(): Promise<void>;
}
