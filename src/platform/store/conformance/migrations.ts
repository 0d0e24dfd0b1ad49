import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Migration } from '../migrations.ts';
import { fresh, type Place, refusal, type StoreUnderTest } from './place.ts';
import { append, conformanceMigration } from './tables.ts';

const second: Migration = {
  feature: 'conformance',
  number: 2,
  name: 'more',
  sqlite: 'CREATE TABLE conformance_more (n INTEGER) STRICT',
  postgres: 'CREATE TABLE conformance_more (n integer)',
};

/** Opening databases of every age. */
export function migrationRules(prepare: Place['prepare']): void {
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
}
