import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { expect, test } from 'vitest';
import { openTestRegistry } from '../src/domain/registry/testing/open-test-registry.ts';
import { allMigrations } from '../src/domain/workspace/all-migrations.ts';
import { compareWithMigrations } from '../src/platform/store/guards/compare-with-migrations.ts';
import { openPostgresStore } from '../src/platform/store/postgres/open.ts';
import { connectTo } from './postgres/start-postgres.ts';
import { testDatabase } from './postgres/test-database.ts';

test('G15 G26 on SQLite a trigger, table or index that is dropped, changed or added is named', async () => {
  await using opened = await openTestRegistry();
  const { store } = opened.registry;
  const migrations = allMigrations().filter(({ feature }) => feature !== 'workspace');
  const clean = await compareWithMigrations(store, migrations);
  expect(clean.problems).toEqual([]);
  expect(clean.checked).toBeGreaterThan(80);
  const owner = new DatabaseSync(opened.world.databasePath);
  owner.exec('DROP TRIGGER version_update; DROP INDEX version_by_coordinate; DROP TRIGGER tag_insert');
  owner.exec('CREATE TRIGGER tag_insert BEFORE INSERT ON tag WHEN 0 BEGIN SELECT 1; END');
  owner.exec('CREATE TRIGGER mine AFTER INSERT ON version BEGIN SELECT 1; END');
  owner.close();
  const { problems } = await compareWithMigrations(store, migrations);
  expect(problems.map(({ problem, kind, table, name }) => `${problem} ${kind} ${table} ${name}`).toSorted()).toEqual([
    'changed trigger tag tag_insert',
    'missing index version version_by_coordinate',
    'missing trigger version version_update',
    'unknown trigger version mine',
  ]);
});

test('G15 G26 on PostgreSQL a trigger or a function that is dropped, disabled, changed or added is named', async () => {
  const database = await testDatabase();
  const { connection } = database;
  const role = `program_${connection.database}`;
  const migrations = allMigrations();
  const store = await openPostgresStore({ connection, migrations, role, poolSize: 2 });
  try {
    const clean = await compareWithMigrations(store, migrations);
    expect(clean.problems).toEqual([]);
    expect(clean.checked).toBeGreaterThan(80);
    const owner = await connectTo(connection.host, connection.database);
    const schema = await owner.query(
      "SELECT nspname FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid WHERE relname = 'version'",
    );
    await owner.query(`SET search_path = ${pg.escapeIdentifier(String(schema.rows[0].nspname))}`);
    await owner.query('DROP TRIGGER version_update ON version');
    await owner.query('ALTER TABLE tag DISABLE TRIGGER tag_insert');
    await owner.query("CREATE OR REPLACE FUNCTION is_draft(of_id text) RETURNS boolean LANGUAGE sql AS 'SELECT true'");
    await owner.query('CREATE TRIGGER mine AFTER INSERT ON version FOR EACH ROW EXECUTE FUNCTION version_run()');
    await owner.end();
    const { problems } = await compareWithMigrations(store, migrations);
    expect(problems.map(({ problem, kind, table, name }) => `${problem} ${kind} ${table} ${name}`).toSorted()).toEqual([
      'changed function  is_draft',
      'changed trigger tag tag_insert',
      'missing trigger version version_update',
      'unknown trigger version mine',
    ]);
  } finally {
    await store.close();
    await database.drop();
  }
});
