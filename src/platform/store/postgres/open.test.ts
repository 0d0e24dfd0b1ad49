import { once } from 'node:events';
import { createServer } from 'node:net';
import { sql } from 'kysely';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectTo } from '../../../../test/postgres/start-postgres.ts';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { refusal } from '../conformance/place.ts';
import { append, conformanceMigration } from '../conformance/tables.ts';
import { openPostgresStore } from './open.ts';

let database: TestDatabase;
let owner: pg.Client;
/** Apart from the owner, whose open transaction would see one state of the activity for ever. */
let watcher: pg.Client;
beforeAll(async () => {
  database = await testDatabase();
  owner = await connectTo(database.connection.host, database.connection.database);
  watcher = await connectTo(database.connection.host, database.connection.database);
});
afterAll(async () => {
  await Promise.all([owner.end(), watcher.end()]);
  await database.drop();
});

const open = (role?: string) =>
  openPostgresStore({
    connection: database.connection,
    migrations: [conformanceMigration],
    poolSize: 4,
    ...(role === undefined ? {} : { role }),
  });

describe('the role of the program', () => {
  test('owns nothing, may change rows, and may touch neither trigger, schema nor the record of migrations', async () => {
    const role = `program_${database.connection.database}`;
    const store = await open(role);
    await store.submit(append('role', 1));
    await store.close();
    const owned = await owner.query(
      'SELECT 1 FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = $1)',
      [role],
    );
    expect(owned.rowCount).toBe(0);
    const program = await connectTo(database.connection.host, database.connection.database);
    await program.query(`SET ROLE ${role}`);
    for (const text of [
      'ALTER TABLE conformance_entry DISABLE TRIGGER ALL',
      'DROP TRIGGER conformance_entry_stays ON conformance_entry',
      'TRUNCATE conformance_entry',
      'CREATE TABLE other (a integer)',
      'DELETE FROM schema_migration',
      "SET session_replication_role = 'replica'",
    ]) {
      await expect(program.query(text), text).rejects.toMatchObject({ code: '42501' });
    }
    await expect(program.query('UPDATE conformance_entry SET seq = 9')).rejects.toMatchObject({ code: 'P0001' });
    await program.end();
  });
});

/** How many sessions wait for a lock. */
async function waiting(): Promise<number | null> {
  const found = await watcher.query(
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
  );
  return found.rowCount;
}

test('an owner without superuser rights can make the role and act as it', async () => {
  const name = `plain_${database.connection.database}`;
  await owner.query(`CREATE ROLE ${name} LOGIN CREATEROLE`);
  await owner.query(`CREATE SCHEMA plain AUTHORIZATION ${name}`);
  const connection = { ...database.connection, user: name };
  const store = await openPostgresStore({
    connection,
    schema: 'plain',
    role: `${name}_program`,
    migrations: [conformanceMigration],
  });
  await store.submit(append('plain', 1));
  const { rows } = await store.read((tx) => sql`SELECT current_user AS acts, session_user AS came`.execute(tx.db));
  expect(rows).toEqual([{ acts: `${name}_program`, came: name }]);
  await store.close();
  expect(
    await refusal(openPostgresStore({ connection, schema: 'not_theirs', migrations: [conformanceMigration] })),
  ).toBe('store_unavailable');
});

describe('lost connections', () => {
  test('no server is store_unavailable, and so is a server that hangs up', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const connect = () =>
      openPostgresStore({
        connection: { host: '127.0.0.1', port, user: 'a', password: 'secret-word', database: 'b' },
        migrations: [],
      });
    expect(await refusal(connect())).toBe('store_unavailable');
    server.close();
    await once(server, 'close');
    const error = await connect().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'store_unavailable' });
    expect(String(error)).not.toContain('secret-word');
    expect(
      await refusal(openPostgresStore({ connection: { ...database.connection, database: 'nowhere' }, migrations: [] })),
    ).toBe('store_unavailable');
  });

  test('a connection cut in the middle fails what ran on it, and the next call works', async () => {
    const store = await open();
    using follower = store.hints.subscribe('topic');
    await follower.next(500);
    await owner.query('BEGIN');
    await owner.query('LOCK conformance_entry');
    const stuck = refusal(store.submit(append('cut', 1)));
    await expect.poll(waiting).toBe(1);
    await owner.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waybill' AND datname = current_database()",
    );
    await owner.query('ROLLBACK');
    expect(await stuck).toBe('store_unavailable');
    await store.submit(append('cut', 1));
    // The listener lost its connection too, and finds its way back.
    const other = await open();
    await expect
      .poll(async () => {
        other.hints.announce('topic');
        return follower.next(100);
      })
      .toBe(true);
    await Promise.all([store.close(), other.close()]);
  });
});

test('operations of different lanes overlap, those of one lane never do', async () => {
  const store = await open();
  await owner.query('BEGIN');
  await owner.query('INSERT INTO conformance_entry (run, seq, body, at) VALUES ($1, 1, $2, 0)', [
    'slow',
    Buffer.from('x'),
  ]);
  // Whoever inserts the same key now waits for the owner to decide.
  const slow = [1, 2].map((seq) => store.submit(append('slow', seq)));
  await Promise.all([1, 2, 3].map((seq) => store.submit(append('fast', seq))));
  await expect.poll(waiting).toBe(1);
  await owner.query('ROLLBACK');
  await Promise.all(slow);
  const rows = await store.read((tx) =>
    tx.db.selectFrom('conformance_entry').select('seq').where('run', '=', 'slow').orderBy('id').execute(),
  );
  expect(rows.map((row) => row.seq)).toEqual([1, 2]);
  await store.close();
});

test('a commit waits for the disk, whatever the database is set to', async () => {
  await owner.query(`ALTER DATABASE ${database.connection.database} SET synchronous_commit = off`);
  const store = await open();
  const { rows } = await store.read((tx) =>
    sql`SELECT current_setting('synchronous_commit') AS setting`.execute(tx.db),
  );
  expect(rows).toEqual([{ setting: 'on' }]);
  await store.close();
});

test('a schema of its own keeps two stores of one database apart', async () => {
  const one = await openPostgresStore({
    connection: database.connection,
    schema: 'one',
    migrations: [conformanceMigration],
  });
  await one.submit(append('apart', 1));
  const rows = await owner.query("SELECT run FROM one.conformance_entry WHERE run = 'apart'");
  expect(rows.rowCount).toBe(1);
  await one.close();
  expect(await refusal(openPostgresStore({ connection: database.connection, schema: 'x; DROP', migrations: [] }))).toBe(
    'config_invalid',
  );
});
