import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, WaybillError } from '../../contract/errors.ts';
import { append, bytes, conformanceMigration } from './conformance-tables.ts';
import type { Migration } from './migrations.ts';
import type { Database, Operation, PreparedSql, ReadTx, Store, WriteTx } from './store.ts';

/** One empty place to store things in; every `open` is another process's view of it. */
export interface StoreUnderTest {
  open(migrations: readonly Migration[]): Promise<Store>;
  /** Takes, from outside, the lock a change of that account needs; returns what lets it go. */
  lockAccount(id: string): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

const second: Migration = {
  feature: 'conformance',
  number: 2,
  name: 'more',
  sqlite: 'CREATE TABLE conformance_more (n INTEGER) STRICT',
  postgres: 'CREATE TABLE conformance_more (n integer)',
};

const addToAccount: PreparedSql = {
  sqlite: 'UPDATE conformance_account SET balance = balance + ? WHERE id = ?',
  postgres: 'UPDATE conformance_account SET balance = balance + $1 WHERE id = $2',
};

const codeOf = (error: unknown): ErrorCode | string => (error instanceof WaybillError ? error.code : String(error));

/** The code a promise is rejected with; a promise that is kept is a failure of the test. */
export async function refusal(promise: Promise<unknown>): Promise<ErrorCode | string> {
  return promise.then(
    (value) => `resolved with ${JSON.stringify(value)}`,
    (error: unknown) => codeOf(error),
  );
}

let made = 0;
const fresh = (what: string): string => `${what}-${++made}`;

async function account(store: Store, balance = 0): Promise<string> {
  const id = fresh('account');
  await store.write(async (tx) => {
    await tx.db.insertInto('conformance_account').values({ id, balance }).execute();
  });
  return id;
}

async function balanceOf(store: Store, id: string): Promise<number> {
  const row = await store.read((tx) =>
    tx.db.selectFrom('conformance_account').select('balance').where('id', '=', id).executeTakeFirstOrThrow(),
  );
  return row.balance;
}

async function seqsOf(store: Store, run: string): Promise<number[]> {
  const rows = await store.read((tx) =>
    tx.db.selectFrom('conformance_entry').select('seq').where('run', '=', run).orderBy('id').execute(),
  );
  return rows.map((row) => row.seq);
}

const set = (db: Kysely<Database>, id: string, balance: number) =>
  db.updateTable('conformance_account').set({ balance }).where('id', '=', id).execute();

/** What every store promises, whatever engine is below. */
export function storeConformance(name: string, prepare: () => Promise<StoreUnderTest>): void {
  describe(`a store on ${name}`, () => {
    let place: StoreUnderTest;
    let store: Store;
    let other: Store;
    beforeAll(async () => {
      place = await prepare();
      store = await place.open([conformanceMigration]);
      other = await place.open([conformanceMigration]);
    });
    afterAll(async () => {
      await Promise.all([store.close(), other.close()]);
      await place.remove();
    });

    describe('transactions', () => {
      test('returning commits, throwing rolls back and passes the error on', async () => {
        const id = await account(store, 5);
        expect(await store.write((tx) => set(tx.db, id, 6).then(() => 'kept'))).toBe('kept');
        const thrown = new Error('changed my mind');
        const broken = store.write(async (tx) => {
          await set(tx.db, id, 7);
          throw thrown;
        });
        await expect(broken).rejects.toBe(thrown);
        expect(await balanceOf(store, id)).toBe(6);
        expect(await balanceOf(other, id)).toBe(6);
      });

      test('16 parallel increments lose none, in locked scopes, in writes and in operations', async () => {
        const id = await account(store);
        const stores = [store, other];
        const each = (work: (store: Store) => Promise<unknown>) =>
          Promise.all(Array.from({ length: 16 }, (_, index) => work(stores[index % 2] ?? store)));
        await each((one) =>
          one.locked({ table: 'conformance_account', key: { id } }, async (tx) => {
            const row = await tx.db
              .selectFrom('conformance_account')
              .select('balance')
              .where('id', '=', id)
              .executeTakeFirstOrThrow();
            await set(tx.db, id, row.balance + 1);
          }),
        );
        expect(await balanceOf(store, id)).toBe(16);
        await each((one) =>
          one.write((tx) =>
            tx.db.updateTable('conformance_account').set({ balance: sql`balance + 1` }).where('id', '=', id).execute(),
          ),
        );
        expect(await balanceOf(store, id)).toBe(32);
        await each((one) => one.submit({ statements: [{ sql: addToAccount, rows: [[1, id]], expectChanges: 1 }] }));
        expect(await balanceOf(store, id)).toBe(48);
      });

      test('a reading scope sees one state from its first query to its last', async () => {
        const id = await account(store, 1);
        const look = (tx: ReadTx) =>
          tx.db.selectFrom('conformance_account').select('balance').where('id', '=', id).executeTakeFirstOrThrow();
        const [seen] = await Promise.all([
          store.read(async (tx) => {
            const rows = [];
            for (let i = 0; i < 50; i++) rows.push(await look(tx));
            return new Set(rows.map((row) => row.balance)).size;
          }),
          other.submit({ statements: [{ sql: addToAccount, rows: [[1, id]] }] }),
        ]);
        expect(seen).toBe(1);
        expect(await balanceOf(store, id)).toBe(2);
      });

      test('a scope runs in the async context of its caller, not of whoever started the writer', async () => {
        const correlation = new AsyncLocalStorage<number>();
        const seen = await Promise.all(
          [1, 2, 3].map((n) => correlation.run(n, () => store.write(async () => correlation.getStore()))),
        );
        expect(seen).toEqual([1, 2, 3]);
      });

      test('counts and times are numbers, bytes are bytes, text sorts by code unit', async () => {
        const run = fresh('types');
        await store.submit(append(run, 1));
        const row = await store.read((tx) =>
          tx.db.selectFrom('conformance_entry').selectAll().where('run', '=', run).executeTakeFirstOrThrow(),
        );
        expect(row.at).toBe(1_700_000_000_000_001);
        expect(row.body).toBeInstanceOf(Uint8Array);
        expect(Buffer.from(row.body).equals(bytes)).toBe(true);
        const ids = ['b', 'B', 'a', 'Z', 'ä', '_'].map((letter) => `${run}${letter}`);
        await store.write((tx) =>
          tx.db
            .insertInto('conformance_account')
            .values(ids.map((id) => ({ id, balance: 0 })))
            .execute(),
        );
        const sorted = await store.read((tx) =>
          tx.db
            .selectFrom('conformance_account')
            .select('id')
            .where('id', '>', run)
            .where('id', '<', `${run}~~`)
            .where('id', 'in', ids)
            .orderBy('id')
            .execute(),
        );
        const below = ids.filter((id) => id < `${run}~~`).sort();
        expect(sorted.map((each) => each.id)).toEqual(below);
        expect(
          await refusal(
            store.write((tx) => sql`INSERT INTO conformance_note VALUES (${new Date()}, ${true})`.execute(tx.db)),
          ),
        ).toBe('invalid_argument');
      });
    });

    describe('select', () => {
      const entries: PreparedSql = {
        sqlite: 'SELECT seq, body, at FROM conformance_entry WHERE run = ? AND seq > ? ORDER BY seq',
        postgres: 'SELECT seq, body, at FROM conformance_entry WHERE run = $1 AND seq > $2 ORDER BY seq',
      };
      const erase: PreparedSql = {
        sqlite: 'DELETE FROM conformance_account',
        postgres: 'DELETE FROM conformance_account',
      };

      test('gives what is committed, in types of both engines', async () => {
        const run = fresh('run');
        await store.submit(append(run, 1, 2, 3));
        for (const each of [store, other]) {
          const rows = await each.select(entries, [run, 1]);
          expect(rows.map((row) => [row.seq, row.at])).toEqual([
            [2, 1_700_000_000_000_001],
            [3, 1_700_000_000_000_001],
          ]);
          expect(rows.every(({ body }) => body instanceof Uint8Array && Buffer.from(body).equals(bytes))).toBe(true);
        }
      });

      test('refuses to write, to nest, and to run what is not there, and works again afterwards', async () => {
        const id = await account(store, 1);
        expect(await refusal(store.select(erase, []))).toBe('transaction_denied');
        expect(await refusal(store.write(() => store.select(entries, ['', 0])))).toBe('transaction_nested');
        expect(
          await refusal(store.select({ sqlite: 'SELECT * FROM nowhere', postgres: 'SELECT * FROM nowhere' }, [])),
        ).toBe('internal');
        expect(await balanceOf(store, id)).toBe(1);
        expect(await store.select(entries, [id, 0])).toEqual([]);
      });
    });

    describe('the rules of a scope', () => {
      async function untouched(code: ErrorCode, body: (tx: WriteTx, id: string) => Promise<unknown>): Promise<void> {
        const id = await account(store, 1);
        const result = await refusal(
          store.write(async (tx) => {
            await set(tx.db, id, 2);
            await body(tx, id);
          }),
        );
        expect(result).toBe(code);
        expect(await balanceOf(store, id)).toBe(1);
      }

      test('awaiting anything else ends it with transaction_awaited_outside', async () => {
        await untouched('transaction_awaited_outside', () => wait(50));
        await untouched('transaction_awaited_outside', () => new Promise(() => {}));
        expect(await refusal(store.read(() => wait(50)))).toBe('transaction_awaited_outside');
        const id = await account(store);
        expect(await refusal(store.locked({ table: 'conformance_account', key: { id } }, () => wait(50)))).toBe(
          'transaction_awaited_outside',
        );
      });

      test('a query left running ends it with transaction_query_pending', async () => {
        await untouched('transaction_query_pending', async (tx, id) => {
          void set(tx.db, id, 3);
        });
      });

      test('a failed statement that is caught ends it with transaction_statement_failed', async () => {
        await untouched('transaction_statement_failed', (tx, id) => set(tx.db, id, -1).catch(() => 'swallowed'));
        await untouched('transaction_statement_failed', async (tx, id) => {
          await set(tx.db, id, -1).catch(() => 'swallowed');
          await set(tx.db, id, 3);
        });
      });

      test('any call of the store from inside ends it with transaction_nested', async () => {
        await untouched('transaction_nested', () => store.write(async () => 1));
        await untouched('transaction_nested', () => store.read(async () => 1));
        await untouched('transaction_nested', () => other.submit(append(fresh('nested'), 1)));
        await untouched('transaction_nested', (_, id) =>
          store.locked({ table: 'conformance_account', key: { id } }, async () => 1),
        );
        expect(await refusal(store.read(() => store.read(async () => 1)))).toBe('transaction_nested');
      });

      test('work a scope left behind may use the store once the scope has ended', async () => {
        let later: Promise<number> | undefined;
        await store.write(async () => {
          later = wait(5).then(() => store.write(async () => 7));
        });
        expect(await later).toBe(7);
      });

      test('a transaction kept after its end answers transaction_after_end', async () => {
        let kept: WriteTx | undefined;
        const id = await account(store, 1);
        await store.write(async (tx) => {
          kept = tx;
        });
        expect(kept).toBeDefined();
        if (kept !== undefined) expect(await refusal(set(kept.db, id, 9))).toBe('transaction_after_end');
        expect(await balanceOf(store, id)).toBe(1);
      });

      test.each([
        'COMMIT',
        'ROLLBACK',
        'BEGIN',
        '/* so */ -- hidden\n commit',
        'SAVEPOINT a',
        'RELEASE a',
        'PRAGMA synchronous = OFF',
        "SET synchronous_commit = 'off'",
        "ATTACH 'other.db' AS other",
        'CREATE TABLE other (a integer)',
        'CREATE TEMP TABLE other (a integer)',
        'DROP TRIGGER conformance_entry_stays',
        'ALTER TABLE conformance_entry DISABLE TRIGGER ALL',
        'TRUNCATE conformance_account',
        'VACUUM',
        'SELECT 1; COMMIT',
        "SELECT ';' AS a; DELETE FROM conformance_account",
        '',
      ])('denies %j with transaction_denied', async (text) => {
        await untouched('transaction_denied', (tx) => sql.raw(text).execute(tx.db));
      });

      test('denies a transaction of Kysely, a stream, and a write while reading', async () => {
        await untouched('transaction_denied', (tx) => tx.db.transaction().execute(async () => 1));
        await untouched('transaction_denied', async (tx) => {
          for await (const row of tx.db.selectFrom('conformance_account').selectAll().stream())
            expect(row).toBeUndefined();
        });
        const id = await account(store, 1);
        expect(await refusal(store.read((tx) => set(tx.db, id, 2)))).toBe('transaction_denied');
        expect(await balanceOf(store, id)).toBe(1);
      });

      test('allows a semicolon at the end and inside text', async () => {
        const result = await store.read((tx) => sql<{ a: string }>`SELECT 'a;b' AS a; -- the end`.execute(tx.db));
        expect(result.rows).toEqual([{ a: 'a;b' }]);
      });
    });

    describe('locked', () => {
      test('refuses a row that does not exist with store_row_missing', async () => {
        expect(
          await refusal(store.locked({ table: 'conformance_account', key: { id: 'nobody' } }, async () => 1)),
        ).toBe('store_row_missing');
      });

      test('gives up after its timeout with transaction_lock_timeout, and works when the holder lets go', async () => {
        const id = await account(store, 1);
        const row = { table: 'conformance_account', key: { id } } as const;
        const release = await place.lockAccount(id);
        try {
          expect(await refusal(store.locked(row, async () => 1, { timeoutMs: 60 }))).toBe('transaction_lock_timeout');
        } finally {
          await release();
        }
        expect(await store.locked(row, async () => 'free')).toBe('free');
      });

      test('waits for the holder without stopping the event loop', async () => {
        const id = await account(store, 1);
        const release = await place.lockAccount(id);
        let ticks = 0;
        const ticking = setInterval(() => ticks++, 1);
        const writing = store.write((tx) => set(tx.db, id, 2));
        await wait(100);
        clearInterval(ticking);
        await release();
        await writing;
        expect(ticks).toBeGreaterThan(10);
        expect(await balanceOf(store, id)).toBe(2);
      });
    });

    describe('operations', () => {
      test('many in flight are all durable, in order within a lane, seen by another store', async () => {
        const runs = Array.from({ length: 20 }, () => fresh('run'));
        await Promise.all(
          runs.flatMap((run) => Array.from({ length: 10 }, (_, index) => store.submit(append(run, index + 1)))),
        );
        for (const run of runs) expect(await seqsOf(other, run)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      });

      test('one that fails leaves no trace and takes no other with it', async () => {
        const [good, bad, alsoGood] = [fresh('run'), fresh('run'), fresh('run')];
        const results = await Promise.all([
          refusal(store.submit(append(good, 1))),
          refusal(store.submit({ statements: [...append(bad, 1, 2).statements, ...append(bad, 2).statements] })),
          refusal(store.submit(append(alsoGood, 1))),
          refusal(
            store.write((tx) =>
              tx.db
                .insertInto('conformance_account')
                .values({ id: bad, balance: 1 })
                .execute()
                .then(() => undefined),
            ),
          ),
        ]);
        expect(results).toEqual([
          'resolved with undefined',
          'store_constraint',
          'resolved with undefined',
          'resolved with undefined',
        ]);
        expect(await seqsOf(store, good)).toEqual([1]);
        expect(await seqsOf(store, bad)).toEqual([]);
        expect(await seqsOf(store, alsoGood)).toEqual([1]);
        expect(await balanceOf(store, bad)).toBe(1);
      });

      test('one that changes another number of rows is refused with its own error, or store_constraint', async () => {
        const id = await account(store, 1);
        const fenced = new WaybillError('stale_epoch', 'no longer the holder');
        const change = (refuse?: () => Error): Operation => ({
          statements: [
            { sql: addToAccount, rows: [[1, id]] },
            { sql: addToAccount, rows: [[1, 'nobody']], expectChanges: 1, ...(refuse === undefined ? {} : { refuse }) },
          ],
        });
        await expect(store.submit(change(() => fenced))).rejects.toBe(fenced);
        expect(await refusal(store.submit(change()))).toBe('store_constraint');
        expect(await balanceOf(store, id)).toBe(1);
      });

      test('a failure rejects what is queued behind it in its lane, and only that', async () => {
        const [lane, free] = [fresh('run'), fresh('run')];
        await store.submit(append(lane, 1));
        const results = await Promise.all([
          refusal(store.submit(append(lane, 2))),
          refusal(store.submit(append(lane, 1))),
          refusal(store.submit(append(free, 1))),
          refusal(store.submit(append(lane, 3))),
          refusal(store.submit(append(lane, 4))),
        ]);
        expect(results).toEqual([
          'resolved with undefined',
          'store_constraint',
          'resolved with undefined',
          'store_lane_failed',
          'store_lane_failed',
        ]);
        expect(await seqsOf(store, lane)).toEqual([1, 2]);
        await store.submit(append(lane, 3));
        expect(await seqsOf(store, lane)).toEqual([1, 2, 3]);
      });

      test('whatever is submitted at once, each lane keeps exactly what came before its first failure', async () => {
        const entry = fc.record({ lane: fc.nat(4), bad: fc.boolean(), scope: fc.boolean() });
        await fc.assert(
          fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 30 }), async (entries) => {
            const run = fresh('law');
            await store.submit(append(run, 0));
            const lanes = new Map<number, { next: number; broken: boolean }>();
            const expected: string[] = [];
            const kept: string[] = [];
            const sent = entries.map(({ lane, bad, scope }) => {
              const at = lanes.get(lane) ?? { next: 1, broken: false };
              lanes.set(lane, at);
              const name = `${run}.${lane}`;
              const seq = at.next++;
              expected.push(at.broken ? 'store_lane_failed' : bad ? 'store_constraint' : 'resolved with undefined');
              if (!at.broken && !bad) kept.push(`${name} ${seq}`);
              at.broken ||= bad;
              // Closures in between make a batch of SQLite take the way with savepoints from the start.
              if (scope) void store.write(async () => {});
              const { statements } = append(name, seq);
              return refusal(
                store.submit({
                  lane: name,
                  statements: bad ? [...statements, ...append(run, 0).statements] : statements,
                }),
              );
            });
            expect(await Promise.all(sent)).toEqual(expected);
            const rows = await store.read((tx) =>
              tx.db
                .selectFrom('conformance_entry')
                .select(['run', 'seq'])
                .where('run', '>', `${run}.`)
                .where('run', '<', `${run}/`)
                .execute(),
            );
            expect(rows.map((row) => `${row.run} ${row.seq}`).sort()).toEqual(kept.sort());
          }),
          { numRuns: 30 },
        );
      });

      test('one may hold more rows than a statement has parameters', async () => {
        const run = fresh('run');
        const seqs = Array.from({ length: 20_000 }, (_, index) => index + 1);
        await store.submit(append(run, ...seqs));
        const count = await store.read((tx) =>
          sql<{ n: number }>`SELECT count(*) AS n FROM conformance_entry WHERE run = ${run}`.execute(tx.db),
        );
        expect(count.rows).toEqual([{ n: 20_000 }]);
      });
    });

    describe('refusals of the database', () => {
      const secret = 'hunter2-raw-input';
      const refused: readonly (readonly [string, ErrorCode, (tx: WriteTx) => Promise<unknown>])[] = [
        [
          'unique',
          'store_constraint',
          (tx: WriteTx) => sql`INSERT INTO conformance_account VALUES (${secret}, 1), (${secret}, 1)`.execute(tx.db),
        ],
        [
          'not null',
          'store_constraint',
          (tx: WriteTx) => sql`INSERT INTO conformance_account VALUES (${secret}, ${null})`.execute(tx.db),
        ],
        [
          'check',
          'store_constraint',
          (tx: WriteTx) => sql`INSERT INTO conformance_account VALUES (${secret}, ${-1})`.execute(tx.db),
        ],
        [
          'foreign key',
          'store_constraint',
          (tx: WriteTx) => sql`INSERT INTO conformance_note VALUES (${secret}, 'x')`.execute(tx.db),
        ],
        [
          'trigger',
          'store_immutable',
          (tx: WriteTx) => tx.db.updateTable('conformance_entry').set({ run: secret }).execute(),
        ],
        ['syntax', 'internal', (tx: WriteTx) => sql`SELECT ${secret} FROM nowhere`.execute(tx.db)],
      ];
      test.each(refused)('%s: a code of ours, and none of the input', async (kind, code, body) => {
        await store.submit(append(fresh('run'), 1));
        const error = await store.write(body).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(WaybillError);
        if (!(error instanceof WaybillError)) return;
        expect(error.code).toBe(code);
        if (code === 'store_constraint') expect(error.details?.constraint).toBe(kind);
        expect(error.hint).toBeTruthy();
        expect(`${error.message} ${JSON.stringify(error.details)} ${String(error.cause)} ${error.stack}`).not.toContain(
          secret,
        );
      });
    });

    describe('hints', () => {
      test('reach a follower in this store and in another one; none is lost before the wait', async () => {
        using here = store.hints.subscribe('run-a');
        using there = other.hints.subscribe('run-a');
        using elsewhere = store.hints.subscribe('run-b');
        await there.next(200);
        await here.next(1);
        await elsewhere.next(1);
        await store.submit(append(fresh('run'), 1));
        store.hints.announce('run-a');
        expect(await here.next(0)).toBe(true);
        expect(await there.next(5_000)).toBe(true);
      });

      test('a wait ends without one at its timeout, and at an abort', async () => {
        using quiet = store.hints.subscribe(fresh('topic'));
        while (await quiet.next(50));
        expect(await quiet.next(5)).toBe(false);
        const abort = new AbortController();
        const waiting = quiet.next(60_000, abort.signal);
        abort.abort();
        expect(await waiting).toBe(false);
      });
    });

    describe('migrations', () => {
      let elsewhere: StoreUnderTest;
      beforeAll(async () => {
        elsewhere = await prepare();
      });
      afterAll(() => elsewhere.remove());

      test('two that open an empty database at once both succeed, and each migration ran once', async () => {
        const opened = await Promise.all(Array.from({ length: 4 }, () => elsewhere.open([conformanceMigration])));
        for (const each of opened) await each.submit(append(fresh('run'), 1));
        const rows = await opened[0]?.read((tx) =>
          sql<{ name: string }>`SELECT name FROM schema_migration`.execute(tx.db),
        );
        expect(rows?.rows).toEqual([{ name: 'tables' }]);
        await Promise.all(opened.map((each) => each.close()));
      });

      test('one that fails leaves the database as it was', async () => {
        const broken: Migration = {
          ...second,
          sqlite: `${second.sqlite}; SELECT nonsense`,
          postgres: `${second.postgres}; SELECT nonsense`,
        };
        expect(await refusal(elsewhere.open([conformanceMigration, broken]))).toBe('internal');
        const reopened = await elsewhere.open([conformanceMigration, second]);
        expect((await reopened.read((tx) => sql`SELECT * FROM conformance_more`.execute(tx.db))).rows).toEqual([]);
        await reopened.close();
      });

      test('R24 a newer schema is a clear error and never a downgrade', async () => {
        expect(await refusal(elsewhere.open([conformanceMigration]))).toBe('store_newer_schema');
        const reopened = await elsewhere.open([conformanceMigration, second]);
        expect((await reopened.read((tx) => sql`SELECT * FROM conformance_more`.execute(tx.db))).rows).toEqual([]);
        await reopened.close();
      });

      test('one whose text changed, or that comes before an applied one, is store_migration_changed', async () => {
        const edited: Migration = { ...second, sqlite: `${second.sqlite} `, postgres: `${second.postgres} ` };
        expect(await refusal(elsewhere.open([conformanceMigration, edited]))).toBe('store_migration_changed');
        expect(await refusal(elsewhere.open([{ ...second, number: 0 }, conformanceMigration, second]))).toBe(
          'store_migration_changed',
        );
      });
    });

    test('after close every call answers store_closed, and close twice is no error', async () => {
      const closing = await place.open([conformanceMigration]);
      const run = fresh('run');
      const last = closing.submit(append(run, 1));
      await closing.close();
      await closing.close();
      await last;
      expect(await seqsOf(store, run)).toEqual([1]);
      expect(await refusal(closing.read(async () => 1))).toBe('store_closed');
      expect(await refusal(closing.write(async () => 1))).toBe('store_closed');
      expect(await refusal(closing.submit(append(run, 2)))).toBe('store_closed');
      expect(await refusal(closing.select({ sqlite: 'SELECT 1', postgres: 'SELECT 1' }, []))).toBe('store_closed');
      using follower = closing.hints.subscribe('topic');
      expect(await follower.next(0)).toBe(false);
    });
  });
}
