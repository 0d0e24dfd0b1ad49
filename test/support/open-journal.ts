import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { journalMigrations } from '../../src/platform/journal/migrations.ts';
import { clientConfig, type PostgresConnection } from '../../src/platform/store/postgres/connection.ts';
import { openPostgresStore } from '../../src/platform/store/postgres/open.ts';
import { openSqliteStore } from '../../src/platform/store/sqlite/open.ts';
import type { Store } from '../../src/platform/store/store.ts';
import { testDatabase } from '../postgres/test-database.ts';

/** A store with the tables of the journal, and a way past every guard of it. */
export interface OpenedJournal extends AsyncDisposable {
  readonly store: Store;
  /** Opens the same database once more, as another process does. */
  again(): Promise<Store>;
  /** Runs statements as the owner of the tables, who may drop triggers. */
  asOwner(...statements: readonly string[]): Promise<void>;
  /** How the engine would answer a query. */
  plan(query: string): Promise<string>;
}

const migrations = journalMigrations();

async function sqlite(): Promise<OpenedJournal> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-journal-'));
  const path = join(folder, 'waybill.db');
  const stores: Store[] = [];
  const again = async () => {
    const store = await openSqliteStore({ path, migrations });
    stores.push(store);
    return store;
  };
  return {
    store: await again(),
    again,
    asOwner: async (...statements) => {
      const database = new DatabaseSync(path, { timeout: 5_000 });
      try {
        for (const statement of statements) database.exec(statement);
      } finally {
        database.close();
      }
    },
    plan: async (query) => {
      const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
      try {
        const steps = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
        return steps.map(({ detail }) => String(detail)).join('\n');
      } finally {
        database.close();
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of stores) await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function postgres(): Promise<OpenedJournal> {
  const database = await testDatabase();
  const { connection } = database;
  const stores: Store[] = [];
  const again = async () => {
    const role = `program_${connection.database}`;
    const store = await openPostgresStore({ connection, migrations, role, poolSize: 4 });
    stores.push(store);
    return store;
  };
  return {
    store: await again(),
    again,
    asOwner: (...statements) =>
      owner(connection, async (client) => {
        for (const statement of statements) await client.query(statement);
      }),
    plan: (query) =>
      owner(connection, async (client) => {
        const { rows }: pg.QueryResult<Record<string, string>> = await client.query(`EXPLAIN ${query}`);
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      }),
    [Symbol.asyncDispose]: async () => {
      for (const store of stores) await store.close();
      await database.drop();
    },
  };
}

async function owner<T>(connection: PostgresConnection, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(clientConfig(connection, { schema: 'public' }));
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** For `describe.each`. */
export const bothJournals = [
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
] as const;
