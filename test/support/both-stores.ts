import type { TestWorldOptions } from '../../src/domain/runs/testing/engine.ts';
import { allMigrations } from '../../src/domain/workspace/all-migrations.ts';
import { openPostgresStore } from '../../src/platform/store/postgres/open.ts';
import { type TestDatabase, testDatabase } from '../postgres/test-database.ts';

const databases: TestDatabase[] = [];

/** How a test world opens its store, by the name of the engine: for `describe.each`. */
export const bothStores: readonly (readonly [string, () => Promise<Pick<TestWorldOptions, 'openStore'>>])[] = [
  ['SQLite', async () => ({})],
  [
    'PostgreSQL',
    async () => {
      const database = await testDatabase();
      databases.push(database);
      const { connection } = database;
      // As a role that owns nothing: what the program may do is a part of what is the same.
      const role = `program_${connection.database}`;
      return { openStore: () => openPostgresStore({ connection, migrations: allMigrations(), role, poolSize: 4 }) };
    },
  ],
];

export async function dropDatabases(): Promise<void> {
  await Promise.all(databases.splice(0).map((database) => database.drop()));
}
