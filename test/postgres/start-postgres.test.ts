import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { connectTo } from './start-postgres.ts';
import { testDatabase } from './test-database.ts';

test.each(['ready', 'starting'])(
  'a server whose tests are killed while it is %s stops and leaves no file behind',
  async (when) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures', 'start-and-wait.ts'), when], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [chunk] = await once(child.stdout, 'data');
    const socket = String(chunk).trim();
    expect(existsSync(socket)).toBe(true);
    const pidFile = join(socket, 'data', 'postmaster.pid');
    const pid = when === 'ready' ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : undefined;
    child.kill('SIGKILL');
    await expect.poll(() => existsSync(socket), { timeout: 25_000 }).toBe(false);
    if (pid !== undefined) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  },
);

test('each test database is empty, is PostgreSQL 18, and is gone once dropped', async () => {
  const database = await testDatabase();
  const { host, database: name } = database.connection;
  const client = await connectTo(host, name);
  const { rows } = await client.query(
    "SELECT current_setting('server_version_num')::int / 10000 AS major, (SELECT count(*)::int FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS tables",
  );
  expect(rows).toEqual([{ major: 18, tables: 0 }]);
  await client.end();
  await database.drop();
  const postgres = await connectTo(inject('postgresSocket'), 'postgres');
  expect((await postgres.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])).rowCount).toBe(0);
  await postgres.end();
});
