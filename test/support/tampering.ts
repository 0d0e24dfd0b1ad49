import { DatabaseSync } from 'node:sqlite';
import type { TestWorldOptions } from '../../src/domain/runs/testing/engine.ts';
import { allMigrations } from '../../src/domain/workspace/all-migrations.ts';
import { openPostgresStore } from '../../src/platform/store/postgres/open.ts';
import { connectTo } from '../postgres/start-postgres.ts';
import { testDatabase } from '../postgres/test-database.ts';

export type Value = string | number | bigint | Uint8Array | null;

/** A store's own database, opened beside the program by somebody who may do everything, with the guards off. */
export interface Tampering extends AsyncDisposable {
  rows(sql: string): Promise<Readonly<Record<string, Value>>[]>;
  /** `?` stands for each value. @throws what the database refuses */
  run(sql: string, values: readonly Value[]): Promise<void>;
}

export interface TamperedStore {
  readonly options: Pick<TestWorldOptions, 'openStore'>;
  /** @param databasePath of the SQLite file of the test's world */
  open(databasePath: string): Promise<Tampering>;
  drop(): Promise<void>;
}

/** Both stores, each with a way past everything the program may do. */
export const tamperedStores: readonly (readonly [string, () => Promise<TamperedStore>])[] = [
  ['SQLite', async () => ({ options: {}, open: async (path) => openSqlite(path), drop: async () => {} })],
  [
    'PostgreSQL',
    async () => {
      const database = await testDatabase();
      const { connection } = database;
      const role = `program_${connection.database}`;
      return {
        options: { openStore: () => openPostgresStore({ connection, migrations: allMigrations(), role, poolSize: 4 }) },
        open: () => openPostgres(connection),
        drop: () => database.drop(),
      };
    },
  ],
];

function openSqlite(path: string): Tampering {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  for (const { name } of database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()) {
    database.exec(`DROP TRIGGER "${String(name)}"`);
  }
  return {
    rows: async (sql) =>
      database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row })),
    run: async (sql, values) => {
      database.prepare(sql).run(...values);
    },
    [Symbol.asyncDispose]: async () => database.close(),
  };
}

async function openPostgres(connection: { readonly host: string; readonly database: string }): Promise<Tampering> {
  const client = await connectTo(connection.host, connection.database);
  // The owner's way past every trigger.
  await client.query("SET session_replication_role = 'replica'");
  return {
    rows: async (sql) => (await client.query<Record<string, Value>>(sql)).rows,
    run: async (sql, values) => {
      let at = 0;
      await client.query(
        sql.replaceAll('?', () => `$${++at}`),
        [...values],
      );
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
