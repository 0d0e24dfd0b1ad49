import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { PreparedSql, ReadTx, Store } from '../store.ts';
import { account, addToAccount, balanceOf, fresh, type Place, refusal, set } from './place.ts';
import { append, bytes } from './tables.ts';

/** Commits, rollbacks, reads and locks. */
export function transactionRules(at: Place): void {
  describe('transactions', () => {
    test('returning commits, throwing rolls back and passes the error on', async () => {
      const id = await account(at.store, 5);
      expect(await at.store.write((tx) => set(tx.db, id, 6).then(() => 'kept'))).toBe('kept');
      const thrown = new Error('changed my mind');
      const broken = at.store.write(async (tx) => {
        await set(tx.db, id, 7);
        throw thrown;
      });
      await expect(broken).rejects.toBe(thrown);
      expect(await balanceOf(at.store, id)).toBe(6);
      expect(await balanceOf(at.other, id)).toBe(6);
    });

    test('16 parallel increments lose none, in locked scopes, in writes and in operations', async () => {
      const id = await account(at.store);
      const stores = [at.store, at.other];
      const each = (work: (one: Store) => Promise<unknown>) =>
        Promise.all(Array.from({ length: 16 }, (_, index) => work(stores[index % 2] ?? at.store)));
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
      expect(await balanceOf(at.store, id)).toBe(16);
      await each((one) =>
        one.write((tx) =>
          tx.db.updateTable('conformance_account').set({ balance: sql`balance + 1` }).where('id', '=', id).execute(),
        ),
      );
      expect(await balanceOf(at.store, id)).toBe(32);
      await each((one) => one.submit({ statements: [{ sql: addToAccount, rows: [[1, id]], expectChanges: 1 }] }));
      expect(await balanceOf(at.store, id)).toBe(48);
    });

    test('a reading scope sees one state from its first query to its last', async () => {
      const id = await account(at.store, 1);
      const look = (tx: ReadTx) =>
        tx.db.selectFrom('conformance_account').select('balance').where('id', '=', id).executeTakeFirstOrThrow();
      const [seen] = await Promise.all([
        at.store.read(async (tx) => {
          const rows = [];
          for (let i = 0; i < 50; i++) rows.push(await look(tx));
          return new Set(rows.map((row) => row.balance)).size;
        }),
        at.other.submit({ statements: [{ sql: addToAccount, rows: [[1, id]] }] }),
      ]);
      expect(seen).toBe(1);
      expect(await balanceOf(at.store, id)).toBe(2);
    });

    test('a scope runs in the async context of its caller, not of whoever started the writer', async () => {
      const correlation = new AsyncLocalStorage<number>();
      const seen = await Promise.all(
        [1, 2, 3].map((n) => correlation.run(n, () => at.store.write(async () => correlation.getStore()))),
      );
      expect(seen).toEqual([1, 2, 3]);
    });

    test('counts and times are numbers, bytes are bytes, text sorts by code unit', async () => {
      const run = fresh('types');
      await at.store.submit(append(run, 1));
      const row = await at.store.read((tx) =>
        tx.db.selectFrom('conformance_entry').selectAll().where('run', '=', run).executeTakeFirstOrThrow(),
      );
      expect(row.at).toBe(1_700_000_000_000_001);
      expect(row.body).toBeInstanceOf(Uint8Array);
      expect(Buffer.from(row.body).equals(bytes)).toBe(true);
      const ids = ['b', 'B', 'a', 'Z', 'ä', '_'].map((letter) => `${run}${letter}`);
      await at.store.write((tx) =>
        tx.db
          .insertInto('conformance_account')
          .values(ids.map((id) => ({ id, balance: 0 })))
          .execute(),
      );
      const sorted = await at.store.read((tx) =>
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
          at.store.write((tx) => sql`INSERT INTO conformance_note VALUES (${new Date()}, ${true})`.execute(tx.db)),
        ),
      ).toBe('invalid_argument');
    });
  });

  describe('locked', () => {
    test('refuses a row that does not exist with store_row_missing', async () => {
      expect(
        await refusal(at.store.locked({ table: 'conformance_account', key: { id: 'nobody' } }, async () => 1)),
      ).toBe('store_row_missing');
    });

    test('gives up after its timeout with transaction_lock_timeout, and works when the holder lets go', async () => {
      const id = await account(at.store, 1);
      const row = { table: 'conformance_account', key: { id } } as const;
      const release = await at.place.lockAccount(id);
      try {
        expect(await refusal(at.store.locked(row, async () => 1, { timeoutMs: 60 }))).toBe('transaction_lock_timeout');
      } finally {
        await release();
      }
      expect(await at.store.locked(row, async () => 'free')).toBe('free');
    });

    test('waits for the holder without stopping the event loop', async () => {
      const id = await account(at.store, 1);
      const release = await at.place.lockAccount(id);
      let ticks = 0;
      const ticking = setInterval(() => ticks++, 1);
      const writing = at.store.write((tx) => set(tx.db, id, 2));
      await wait(100);
      clearInterval(ticking);
      await release();
      await writing;
      expect(ticks).toBeGreaterThan(10);
      expect(await balanceOf(at.store, id)).toBe(2);
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
      await at.store.submit(append(run, 1, 2, 3));
      for (const each of [at.store, at.other]) {
        const rows = await each.select(entries, [run, 1]);
        expect(rows.map((row) => [row.seq, row.at])).toEqual([
          [2, 1_700_000_000_000_001],
          [3, 1_700_000_000_000_001],
        ]);
        expect(rows.every(({ body }) => body instanceof Uint8Array && Buffer.from(body).equals(bytes))).toBe(true);
      }
    });

    test('refuses to write, to nest, and to run what is not there, and works again afterwards', async () => {
      const id = await account(at.store, 1);
      expect(await refusal(at.store.select(erase, []))).toBe('transaction_denied');
      expect(await refusal(at.store.write(() => at.store.select(entries, ['', 0])))).toBe('transaction_nested');
      expect(
        await refusal(at.store.select({ sqlite: 'SELECT * FROM nowhere', postgres: 'SELECT * FROM nowhere' }, [])),
      ).toBe('internal');
      expect(await balanceOf(at.store, id)).toBe(1);
      expect(await at.store.select(entries, [id, 0])).toEqual([]);
    });
  });
}
