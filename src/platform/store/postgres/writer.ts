import type pg from 'pg';
import { WaybillError } from '../../../contract/errors.ts';
import { laneFailed, storeClosed, unexpectedChanges } from '../refusals.ts';
import type { Operation, OperationStatement } from '../store.ts';
import { engineCode, postgresError } from './errors.ts';
import { nameOf } from './prepared-name.ts';
import { multiRowInsert } from './rows.ts';

interface Queued {
  readonly operation: Operation;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Operations, one transaction each. Those of different lanes overlap on different connections; those of one
 * lane never do: overlapping appends of a run would let a follower see a later event before an earlier one.
 */
export class PostgresWriter {
  readonly #pool: pg.Pool;
  readonly #lanes = new Map<string, Queued[]>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  submit(operation: Operation): Promise<void> {
    if (this.#closed) return Promise.reject(storeClosed());
    const { lane } = operation;
    if (lane === undefined) return this.#tracked(this.#execute(operation));
    return new Promise((resolve, reject) => {
      const queued: Queued = { operation, resolve, reject };
      const behind = this.#lanes.get(lane);
      if (behind !== undefined) {
        behind.push(queued);
        return;
      }
      const queue = [queued];
      this.#lanes.set(lane, queue);
      void this.#tracked(this.#runLane(lane, queue));
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#running);
  }

  #tracked(work: Promise<void>): Promise<void> {
    this.#running.add(work);
    const forget = (): void => {
      this.#running.delete(work);
    };
    work.then(forget, forget);
    return work;
  }

  async #runLane(lane: string, queue: Queued[]): Promise<void> {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await this.#execute(next.operation);
        next.resolve();
      } catch (error) {
        next.reject(error);
        for (const behind of queue.splice(0)) behind.reject(laneFailed());
      }
    }
    this.#lanes.delete(lane);
  }

  async #execute(operation: Operation): Promise<void> {
    try {
      await this.#transaction(operation);
    } catch (error) {
      throw postgresError(error);
    }
  }

  async #transaction(operation: Operation): Promise<void> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await allOf<unknown>([client.query('BEGIN'), ...operation.statements.map((statement) => run(client, statement))]);
      await commit(client);
    } catch (error) {
      broken = await rollback(client);
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

/**
 * Sends a statement without waiting for those before it, which saves a round trip each; what comes after a
 * failed one changes nothing, because its transaction is rolled back.
 */
async function run(client: pg.ClientBase, { sql, rows, expectChanges, refuse }: OperationStatement): Promise<void> {
  const together = rows.length > 1 ? multiRowInsert(sql.postgres, rows) : undefined;
  const requests = together ?? rows.map((values) => ({ name: nameOf(sql), text: sql.postgres, values }));
  const results = await allOf(
    requests.map(({ values, ...request }) => client.query({ ...request, values: [...values] })),
  );
  if (expectChanges === undefined) return;
  const changes = results.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
  if (changes !== expectChanges) throw refuse?.() ?? unexpectedChanges(expectChanges, changes);
}

/** Waits for all, then throws the error of the first that failed: those after it only failed in its wake. */
export async function allOf<T>(sent: readonly Promise<T>[]): Promise<T[]> {
  const values: T[] = [];
  for (const result of await Promise.allSettled(sent)) {
    if (result.status === 'rejected') throw result.reason;
    values.push(result.value);
  }
  return values;
}

/** @throws WaybillError `store_unavailable` with `outcome: unknown` when the connection is lost before the answer. */
export async function commit(client: pg.ClientBase): Promise<void> {
  try {
    await client.query('COMMIT');
  } catch (error) {
    if (/^[0-9A-Z]{5}$/.test(engineCode(error) ?? '') && !engineCode(error)?.startsWith('57P')) throw error;
    throw new WaybillError(
      'store_unavailable',
      'the connection was lost during a commit, so whether it was written is not known',
      {
        hint: 'Read the current state again before going on.',
        details: { engine: 'postgres', outcome: 'unknown' },
      },
    );
  }
}

/** Ends the transaction; an error means that the connection is of no use any more. */
export async function rollback(client: pg.ClientBase): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error('rollback failed');
  }
}
