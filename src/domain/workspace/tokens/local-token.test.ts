import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { systemClock } from '../../../platform/clock/clock.ts';
import { journalMigrations } from '../../../platform/journal/migrations.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import { openSqliteStore } from '../../../platform/store/sqlite/open.ts';
import type { Store } from '../../../platform/store/store.ts';
import { workspaceMigrations } from '../migrations.ts';
import { ensureLocalToken, readLocalToken } from './local-token.ts';
import { openTokens } from './open-tokens.ts';

const migrations = [...journalMigrations(), ...workspaceMigrations()];
let folder: string;
let file: string;
const stores: Store[] = [];
const databases: TestDatabase[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-local-token-'));
  file = join(folder, '.waybill', 'keys', 'token');
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(databases.splice(0).map((database) => database.drop()));
  await rm(folder, { recursive: true, force: true });
});

async function keep(store: Promise<Store>) {
  const opened = await store;
  stores.push(opened);
  const tokens = openTokens(opened, systemClock);
  return { store: opened, tokens, ensure: () => ensureLocalToken(opened, tokens, file) };
}
const onSqlite = async (name = 'waybill.db') => {
  const path = join(folder, name);
  return () => keep(openSqliteStore({ path, migrations }));
};
const onPostgres = async () => {
  const database = await testDatabase();
  databases.push(database);
  const { connection } = database;
  return () => keep(openPostgresStore({ connection, migrations, poolSize: 2 }));
};

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('the local token on %s', (_, where) => {
  test('daemons that start at once share one token, kept in a 0600 file of a 0700 folder', async () => {
    const open = await where();
    const daemons = await Promise.all(Array.from({ length: 6 }, open));
    const [token, ...others] = new Set(await Promise.all(daemons.map((daemon) => daemon.ensure())));
    expect(others).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe(`${token}\n`);
    expect([(await stat(file)).mode & 0o777, (await stat(dirname(file))).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(await readdir(dirname(file))).toEqual(['token']);
    const actor = `local:${process.getuid?.()}`;
    for (const { tokens } of daemons) {
      expect(await tokens.authenticate(token ?? '')).toEqual({ actor, role: 'admin', repos: [] });
      expect(await tokens.list()).toHaveLength(1);
    }
    expect(await daemons[0]?.ensure()).toBe(token);
  });

  test('a revoked one is replaced, also by several at once; each then holds one that opens', async () => {
    const open = await where();
    const daemons = await Promise.all(Array.from({ length: 4 }, open));
    const [daemon] = daemons;
    if (daemon === undefined) throw new Error('no daemon');
    const old = await daemon.ensure();
    const [row] = await daemon.tokens.list();
    await daemon.tokens.revoke(row?.id ?? '', 'local:0');
    const fresh = await Promise.all(daemons.map((each) => each.ensure()));
    expect(fresh).not.toContain(old);
    expect(await daemon.tokens.authenticate(old)).toBeNull();
    for (const token of [...fresh, await readLocalToken(file)]) {
      expect(await daemon.tokens.authenticate(token ?? '')).toMatchObject({ role: 'admin' });
    }
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

test('a crash between the file and the store, or a new store, is made good at the next start', async () => {
  const first = await (await onSqlite())();
  const token = await first.ensure();
  const second = await (await onSqlite('another.db'))();
  expect(await second.tokens.authenticate(token)).toBeNull();
  expect(await second.ensure()).toBe(token);
  expect(await second.tokens.authenticate(token)).toMatchObject({ role: 'admin' });
});

test('a file that others may use, or that is no token, is refused with what to do', async () => {
  const { ensure, tokens } = await (await onSqlite())();
  await ensure();
  for (const mode of [0o640, 0o604, 0o660]) {
    await chmod(file, mode);
    await expect(ensure()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(`mode 0${mode.toString(8)}`),
      hint: `Run: chmod 600 ${file}`,
    });
  }
  await chmod(file, 0o600);
  await writeFile(file, 'hunter2\n');
  await expect(ensure()).rejects.toMatchObject({ code: 'config_invalid' });
  await rm(file);
  await writeFile(join(folder, 'elsewhere'), `wb_${'A'.repeat(43)}\n`, { mode: 0o600 });
  await symlink(join(folder, 'elsewhere'), file);
  await expect(ensure()).rejects.toMatchObject({ code: 'file_read_failed' });
  await rm(file);
  await mkdir(file);
  await expect(ensure()).rejects.toMatchObject({ code: 'config_invalid' });
  expect(await tokens.authenticate(`wb_${'A'.repeat(43)}`)).toBeNull();
  expect(await tokens.list()).toHaveLength(1);
});
