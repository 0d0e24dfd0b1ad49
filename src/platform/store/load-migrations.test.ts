import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadMigrations } from './load-migrations.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-tables-'));
  for (const dialect of ['sqlite', 'postgres']) await mkdir(join(folder, dialect));
});
afterEach(() => rm(folder, { recursive: true }));

const put = (dialect: string, name: string) => writeFile(join(folder, dialect, name), `-- ${dialect} ${name}`);
const load = () => loadMigrations('runs', pathToFileURL(`${folder}/`));

test('reads both dialects in the order of their numbers', async () => {
  for (const dialect of ['sqlite', 'postgres'])
    for (const name of ['010-last.sql', '002-more.sql', '001-first.sql']) await put(dialect, name);
  expect(load()).toEqual(
    [
      { number: 1, name: 'first' },
      { number: 2, name: 'more' },
      { number: 10, name: 'last' },
    ].map(({ number, name }) => {
      const file = `${String(number).padStart(3, '0')}-${name}.sql`;
      return { feature: 'runs', number, name, sqlite: `-- sqlite ${file}`, postgres: `-- postgres ${file}` };
    }),
  );
});

test('refuses a constraint that is checked only at the commit', async () => {
  await put('sqlite', '001-first.sql');
  await writeFile(
    join(folder, 'postgres', '001-first.sql'),
    'CREATE TABLE t (a integer REFERENCES u DEFERRABLE INITIALLY DEFERRED)',
  );
  expect(load).toThrow(/deferrable constraint in 001-first.sql/);
});

test('refuses a dialect that lacks a file, a folder without any, and a name of another shape', async () => {
  expect(load).toThrow(/the same files, at least one/);
  await put('sqlite', '001-first.sql');
  expect(load).toThrow(/the same files, at least one/);
  await put('postgres', '001-first.sql');
  expect(load()).toHaveLength(1);
  for (const dialect of ['sqlite', 'postgres']) await put(dialect, 'fix.sql');
  expect(load).toThrow(/not named NNN-name.sql: fix.sql/);
});
