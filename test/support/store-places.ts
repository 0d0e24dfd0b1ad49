import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allMigrations } from '../../src/domain/workspace/all-migrations.ts';
import type { Migration } from '../../src/platform/store/migrations.ts';
import { openPostgresStore } from '../../src/platform/store/postgres/open.ts';
import { openSqliteStore } from '../../src/platform/store/sqlite/open.ts';
import type { Store } from '../../src/platform/store/store.ts';
import { testDatabase } from '../postgres/test-database.ts';

/** Where stores of one database are opened; disposing closes them all and removes it. */
export interface StorePlace extends AsyncDisposable {
  /** With the tables of the whole program unless others are given; on PostgreSQL as a role that owns nothing. */
  open(migrations?: readonly Migration[]): Promise<Store>;
  /** Of the files; null where there are none. */
  readonly folder: string | null;
}

/** One on each engine, for `describe.each`. */
export const storePlaces: readonly (readonly [string, () => Promise<StorePlace>])[] = [
  [
    'SQLite',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'waybill-store-'));
      const open = (migrations: readonly Migration[]) =>
        openSqliteStore({ path: join(folder, 'waybill.db'), migrations });
      return place(open, folder, () => rm(folder, { recursive: true, force: true }));
    },
  ],
  [
    'PostgreSQL',
    async () => {
      const { connection, drop } = await testDatabase();
      const role = `program_${connection.database}`;
      const open = (migrations: readonly Migration[]) =>
        openPostgresStore({ connection, migrations, role, poolSize: 4 });
      return place(open, null, drop);
    },
  ],
];

function place(
  open: (migrations: readonly Migration[]) => Promise<Store>,
  folder: string | null,
  remove: () => Promise<void>,
): StorePlace {
  const stores: Store[] = [];
  return {
    folder,
    open: async (migrations = allMigrations()) => {
      const store = await open(migrations);
      stores.push(store);
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await remove();
    },
  };
}
