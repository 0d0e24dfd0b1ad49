import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../contract/errors.ts';
import type { WriteTx } from '../store.ts';
import { account, balanceOf, fresh, type Place, refusal, set } from './place.ts';
import { append } from './tables.ts';

/** How a scope ends that breaks a rule. */
export function scopeRules(at: Place): void {
  describe('the rules of a scope', () => {
    async function untouched(code: ErrorCode, body: (tx: WriteTx, id: string) => Promise<unknown>): Promise<void> {
      const id = await account(at.store, 1);
      const result = await refusal(
        at.store.write(async (tx) => {
          await set(tx.db, id, 2);
          await body(tx, id);
        }),
      );
      expect(result).toBe(code);
      expect(await balanceOf(at.store, id)).toBe(1);
    }

    test('awaiting anything else ends it with transaction_awaited_outside', async () => {
      await untouched('transaction_awaited_outside', () => wait(50));
      await untouched('transaction_awaited_outside', () => new Promise(() => {}));
      expect(await refusal(at.store.read(() => wait(50)))).toBe('transaction_awaited_outside');
      const id = await account(at.store);
      expect(await refusal(at.store.locked({ table: 'conformance_account', key: { id } }, () => wait(50)))).toBe(
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
      await untouched('transaction_nested', () => at.store.write(async () => 1));
      await untouched('transaction_nested', () => at.store.read(async () => 1));
      await untouched('transaction_nested', () => at.other.submit(append(fresh('nested'), 1)));
      await untouched('transaction_nested', (_, id) =>
        at.store.locked({ table: 'conformance_account', key: { id } }, async () => 1),
      );
      expect(await refusal(at.store.read(() => at.store.read(async () => 1)))).toBe('transaction_nested');
    });

    test('work a scope left behind may use the store once the scope has ended', async () => {
      let later: Promise<number> | undefined;
      await at.store.write(async () => {
        later = wait(5).then(() => at.store.write(async () => 7));
      });
      expect(await later).toBe(7);
    });

    test('a transaction kept after its end answers transaction_after_end', async () => {
      let kept: WriteTx | undefined;
      const id = await account(at.store, 1);
      await at.store.write(async (tx) => {
        kept = tx;
      });
      expect(kept).toBeDefined();
      if (kept !== undefined) expect(await refusal(set(kept.db, id, 9))).toBe('transaction_after_end');
      expect(await balanceOf(at.store, id)).toBe(1);
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
      "ATTACH 'other.db' AS at.other",
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
      const id = await account(at.store, 1);
      expect(await refusal(at.store.read((tx) => set(tx.db, id, 2)))).toBe('transaction_denied');
      expect(await balanceOf(at.store, id)).toBe(1);
    });

    test('allows a semicolon at the end and inside text', async () => {
      const result = await at.store.read((tx) => sql<{ a: string }>`SELECT 'a;b' AS a; -- the end`.execute(tx.db));
      expect(result.rows).toEqual([{ a: 'a;b' }]);
    });
  });
}
