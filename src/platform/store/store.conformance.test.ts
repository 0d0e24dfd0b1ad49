import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll } from 'vitest';
import { connectTo, type PostgresServer, startPostgres } from '../../../test/postgres/start-postgres.ts';
import { testDatabase } from '../../../test/postgres/test-database.ts';
import type { StoreUnderTest } from './conformance/place.ts';
import { storeConformance } from './conformance/store-conformance.ts';
import { openPostgresStore } from './postgres/open.ts';
import { openSqliteStore } from './sqlite/open.ts';

storeConformance('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-store-'));
  const path = join(folder, 'waybill.db');
  return {
    open: (migrations) => openSqliteStore({ path, migrations }),
    lockAccount: async () => {
      const holder = new DatabaseSync(path);
      holder.exec('BEGIN IMMEDIATE');
      return async () => holder.close();
    },
    remove: () => rm(folder, { recursive: true }),
  };
});

async function onPostgres(socket?: string): Promise<StoreUnderTest> {
  const database = await testDatabase(socket);
  const { connection } = database;
  const role = `program_${connection.database}`;
  return {
    open: (migrations) => openPostgresStore({ connection, migrations, role, poolSize: 6 }),
    lockAccount: async (id) => {
      const holder = await connectTo(connection.host, connection.database);
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM conformance_account WHERE id = $1 FOR UPDATE', [id]);
      return () => holder.end();
    },
    remove: () => database.drop(),
  };
}

storeConformance('PostgreSQL', () => onPostgres());

let icu: PostgresServer | undefined;
storeConformance('PostgreSQL under an ICU locale', () => {
  icu ??= startPostgres('icu');
  return onPostgres(icu.socket);
});
afterAll(() => icu?.stop());
