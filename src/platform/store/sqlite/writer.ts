import type { StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ErrorCode, WaybillError } from '../../../contract/errors.ts';
import { laneFailed, storeClosed, unexpectedChanges } from '../refusals.ts';
import type { Operation } from '../store.ts';
import type { SqliteConnection } from './connection.ts';
import { isBusy, sqliteError } from './errors.ts';
import { pauseForLock } from './lock-wait.ts';

/** More than this in one transaction would make those who wait for it wait longer than the sync saves. */
const mostPerCommit = 4096;

interface Queued {
  readonly reject: (error: unknown) => void;
  readonly waitMs: number;
  readonly timeoutCode: Extract<ErrorCode, 'store_busy' | 'transaction_lock_timeout'>;
  /** Set when the file lock was found taken while this was waiting. */
  deadline?: number;
}

interface QueuedOperation extends Queued {
  readonly operation: Operation;
  readonly resolve: () => void;
}

interface QueuedScope extends Queued {
  /** Runs the closure inside the open transaction; what it returns is called once that is committed. */
  readonly execute: () => Promise<() => void>;
}

type Entry = QueuedOperation | QueuedScope;

/**
 * All writes of the process, one commit for many. A turn goes: take the file lock, take the whole queue, run
 * it in one transaction, commit, settle every promise. There is no timer: what is submitted during a turn is
 * the next one, so under load the batches grow by themselves and alone a write waits for nobody.
 *
 * A queue of operations only is first run without savepoints. Operations are statements and values, so when
 * one fails the transaction is rolled back and everything is run again with a savepoint each, which costs the
 * others time but nothing else. A closure runs at most once, so a queue that holds one uses savepoints at once.
 */
export class SqliteWriter {
  readonly #connection: SqliteConnection;
  readonly #waitMs: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  readonly #rollbackTo: StatementSync;
  #queue: Entry[] = [];
  #turns: Promise<void> | undefined;
  #careful = false;
  #closed = false;

  constructor(connection: SqliteConnection, waitMs: number) {
    const { database } = connection;
    this.#connection = connection;
    this.#waitMs = waitMs;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#rollback = database.prepare('ROLLBACK');
    this.#savepoint = database.prepare('SAVEPOINT entry');
    this.#release = database.prepare('RELEASE entry');
    this.#rollbackTo = database.prepare('ROLLBACK TO entry');
  }

  submit(operation: Operation): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ operation, resolve, reject, waitMs: this.#waitMs, timeoutCode: 'store_busy' });
    });
  }

  /** Runs `body` between a begin and a commit that it shares with others; resolves when the commit is durable. */
  scope<T>(body: () => Promise<T>, lock?: { readonly waitMs: number }): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#enqueue({
        execute: async () => {
          const value = await body();
          return () => resolve(value);
        },
        reject,
        waitMs: lock?.waitMs ?? this.#waitMs,
        timeoutCode: lock === undefined ? 'store_busy' : 'transaction_lock_timeout',
      });
    });
  }

  /** Finishes what is queued, then refuses all else. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turns;
  }

  #enqueue(entry: Entry): void {
    if (this.#closed) {
      entry.reject(storeClosed());
      return;
    }
    this.#queue.push(entry);
    this.#turns ??= this.#run();
  }

  async #run(): Promise<void> {
    // One turn of the event loop gathers what the running callbacks still submit.
    await nextTurn();
    while (this.#queue.length > 0) {
      if (await this.#takeLock()) await this.#turn(this.#takeBatch());
      await nextTurn();
    }
    this.#turns = undefined;
  }

  /** True when a transaction is open; false when nobody is left who wants one. */
  async #takeLock(): Promise<boolean> {
    for (let attempt = 0; this.#queue.length > 0; attempt++) {
      try {
        this.#begin.run();
        return true;
      } catch (error) {
        if (isBusy(error)) this.#expire();
        else this.#failAll(this.#queue.splice(0), error);
      }
      if (this.#queue.length > 0) await pauseForLock(attempt);
    }
    return false;
  }

  #expire(): void {
    const now = performance.now();
    const late: Entry[] = [];
    for (const entry of this.#queue) {
      entry.deadline ??= now + entry.waitMs;
      if (entry.deadline <= now) late.push(entry);
    }
    if (late.length === 0) return;
    this.#queue = this.#queue.filter((entry) => !late.includes(entry));
    for (const entry of late) this.#fail(entry, lockTimeout(entry));
  }

  #takeBatch(): Entry[] {
    if (this.#queue.length > mostPerCommit) return this.#queue.splice(0, mostPerCommit);
    const batch = this.#queue;
    this.#queue = [];
    return batch;
  }

  async #turn(batch: Entry[]): Promise<void> {
    const operations = this.#careful ? undefined : onlyOperations(batch);
    this.#careful = false;
    if (operations === undefined) await this.#runCarefully(batch);
    else this.#runTogether(operations);
  }

  #runTogether(batch: QueuedOperation[]): void {
    try {
      for (const { operation } of batch) this.#execute(operation);
    } catch (error) {
      this.#undo();
      const [only] = batch;
      if (batch.length === 1 && only !== undefined) {
        this.#fail(only, error);
        return;
      }
      this.#careful = true;
      this.#queue = [...batch, ...this.#queue];
      return;
    }
    if (!this.#commitOrFail(batch)) return;
    for (const entry of batch) entry.resolve();
  }

  async #runCarefully(batch: Entry[]): Promise<void> {
    const done: { readonly entry: Entry; readonly deliver: () => void }[] = [];
    const failed: { readonly entry: Entry; readonly error: unknown }[] = [];
    const failedLanes = new Set<string>();
    for (const entry of batch) {
      const lane = laneOf(entry);
      if (lane !== undefined && failedLanes.has(lane)) {
        failed.push({ entry, error: laneFailed() });
        continue;
      }
      try {
        this.#savepoint.run();
        const deliver = 'operation' in entry ? entry.resolve : await entry.execute();
        if ('operation' in entry) this.#execute(entry.operation);
        this.#release.run();
        done.push({ entry, deliver });
      } catch (error) {
        if (lane !== undefined) failedLanes.add(lane);
        failed.push({ entry, error });
        if (!this.#backToSavepoint()) {
          // A full disk or a broken file ends the whole transaction: what went before is gone too.
          this.#undo();
          const rest = batch.slice(batch.indexOf(entry) + 1);
          this.#failAll([...done.map((each) => each.entry), entry, ...rest], error);
          return;
        }
      }
    }
    if (this.#commitOrFail(done.map((each) => each.entry))) {
      for (const { deliver } of done) deliver();
    }
    for (const { entry, error } of failed) this.#fail(entry, error);
  }

  #execute(operation: Operation): void {
    for (const { sql, rows, expectChanges, refuse } of operation.statements) {
      const statement = this.#connection.prepared(sql);
      let changes = 0;
      for (const row of rows) changes += Number(statement.run(...row).changes);
      if (expectChanges !== undefined && changes !== expectChanges)
        throw refuse?.() ?? unexpectedChanges(expectChanges, changes);
    }
  }

  #backToSavepoint(): boolean {
    if (!this.#connection.database.isTransaction) return false;
    try {
      this.#rollbackTo.run();
      this.#release.run();
      return true;
    } catch {
      // The caller gives up the whole transaction and reports the error that led here.
      return false;
    }
  }

  #commitOrFail(batch: readonly Entry[]): boolean {
    try {
      this.#connection.assertInPlace();
      this.#commit.run();
      return true;
    } catch (error) {
      this.#undo();
      this.#failAll(batch, error);
      return false;
    }
  }

  #undo(): void {
    try {
      if (this.#connection.database.isTransaction) this.#rollback.run();
    } catch {
      // What led here is what the callers are told; if the transaction is still open, the next begin fails and says so.
    }
  }

  #failAll(entries: readonly Entry[], error: unknown): void {
    for (const entry of entries) this.#fail(entry, error);
  }

  /** Rejects an entry and what is queued behind it in its lane. */
  #fail(entry: Entry, error: unknown): void {
    entry.reject(sqliteError(error));
    const lane = laneOf(entry);
    if (lane === undefined) return;
    const behind = this.#queue.filter((other) => laneOf(other) === lane);
    if (behind.length === 0) return;
    this.#queue = this.#queue.filter((other) => laneOf(other) !== lane);
    for (const other of behind) other.reject(laneFailed());
  }
}

function laneOf(entry: Entry): string | undefined {
  return 'operation' in entry ? entry.operation.lane : undefined;
}

function onlyOperations(batch: readonly Entry[]): QueuedOperation[] | undefined {
  const operations: QueuedOperation[] = [];
  for (const entry of batch) {
    if (!('operation' in entry)) return undefined;
    operations.push(entry);
  }
  return operations;
}

function lockTimeout(entry: Entry): WaybillError {
  return new WaybillError(entry.timeoutCode, `another process kept the database locked for ${entry.waitMs} ms`, {
    hint: 'Try again; if it lasts, look for a stopped waybill process that holds the workspace.',
    details: { waitMs: entry.waitMs },
  });
}
