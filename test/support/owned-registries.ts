import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { gateMigrations } from '../../src/domain/gates/migrations.ts';
import { registryMigrations } from '../../src/domain/registry/migrations.ts';
import {
  openTestRegistry,
  type TestRegistry,
  type TestRegistryOptions,
} from '../../src/domain/registry/testing/open-test-registry.ts';
import { runTables } from '../../src/domain/runs/testing/engine.ts';
import { openPostgresStore } from '../../src/platform/store/postgres/open.ts';
import { connectTo } from '../postgres/start-postgres.ts';
import { testDatabase } from '../postgres/test-database.ts';

/** A registry whose database can be changed by hand, past every guard. */
export interface OwnedRegistry extends TestRegistry {
  /** Runs statements as the owner of the database while no trigger is there; afterwards all are there again. */
  withoutGuards(...statements: readonly string[]): Promise<void>;
  /** Runs statements as the owner, with the triggers there. */
  asOwner(...statements: readonly string[]): Promise<void>;
}

type Place = readonly [string, (options: TestRegistryOptions) => Promise<OwnedRegistry>];

/** Both stores, owned: for `describe.each`. */
export const ownedRegistries: readonly Place[] = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
];

async function onSqlite(options: TestRegistryOptions): Promise<OwnedRegistry> {
  const opened = await openTestRegistry(options);
  const owned = async (work: (database: DatabaseSync) => void) => {
    const database = new DatabaseSync(opened.world.databasePath, { timeout: 5_000 });
    try {
      work(database);
    } finally {
      database.close();
    }
  };
  return {
    ...opened,
    asOwner: (...statements) =>
      owned((database) => {
        for (const statement of statements) database.exec(statement);
      }),
    withoutGuards: (...statements) =>
      owned((database) => {
        const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
        database.exec('BEGIN');
        for (const { name } of triggers) database.exec(`DROP TRIGGER "${String(name)}"`);
        for (const statement of statements) database.exec(statement);
        for (const { sql } of triggers) database.exec(String(sql));
        database.exec('COMMIT');
      }),
  };
}

async function onPostgres(options: TestRegistryOptions): Promise<OwnedRegistry> {
  const database = await testDatabase();
  const { connection } = database;
  const role = `program_${connection.database}`;
  const migrations = [...runTables(), ...gateMigrations(), ...registryMigrations()];
  const opened = await openTestRegistry({
    ...options,
    openStore: () => openPostgresStore({ connection, migrations, role, poolSize: 4 }),
  });
  const owned = async (statements: readonly string[], guards: boolean) => {
    const client = await connectTo(connection.host, connection.database);
    try {
      const found = await client.query(
        "SELECT relnamespace::regnamespace::text AS place FROM pg_class WHERE relname = 'version'",
      );
      await client.query(`SET search_path = ${pg.escapeIdentifier(String(found.rows[0]?.place))}`);
      if (!guards) await client.query("SET session_replication_role = 'replica'");
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  return {
    ...opened,
    asOwner: (...statements) => owned(statements, true),
    withoutGuards: (...statements) => owned(statements, false),
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}
