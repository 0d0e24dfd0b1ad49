import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { workspaceKey } from './workspace-key.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'waybill-key-')), 'keys');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

test('F4 the key is made once, for this user only, and is the same for all who ask at once', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, () => workspaceKey(folder)));
  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1);
  expect(keys[0]).toHaveLength(32);
  expect((await stat(join(folder, 'input-hash.key'))).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['input-hash.key']);
});

test('F4 a file that is no key is refused rather than used', async () => {
  await workspaceKey(folder);
  await writeFile(join(folder, 'input-hash.key'), 'short');
  await expect(workspaceKey(folder)).rejects.toMatchObject({ code: 'config_invalid' });
});
