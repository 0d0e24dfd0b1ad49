import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { createFolderBlobs } from '../src/platform/blobs/folder-blobs.ts';
import { hexOf } from '../src/platform/digests/digest.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });

test('G26 gc says what it would remove, removes it with --apply, and accounts for each byte; fsck finds damage and exits with 1', async () => {
  await using workspace = await makeWorkspace({ configuration: 'export default {};\n' });
  const ran = await workspace.waybill(['exec', '--', 'echo', 'hello']);
  expect(ran.code, ran.stderr).toBe(0);
  const folder = join(workspace.root, '.waybill', 'blobs');
  const blobs = createFolderBlobs(folder);
  const place = (digest: Awaited<ReturnType<typeof blobs.put>>) =>
    join(folder, 'sha256', hexOf(digest).slice(0, 2), hexOf(digest));
  const orphan = await blobs.put(Buffer.from('nobody wants this'));
  await utimes(place(orphan), 1, 1);

  const dry = await workspace.waybill(['gc', '--json']);
  expect(dry.code, dry.stderr).toBe(0);
  const found = { collectable: { count: 1, bytes: 17 }, removed: { count: 0, bytes: 0 } };
  expect(JSON.parse(dry.stdout)).toMatchObject({ applied: false, complete: true, blobs: found });
  expect(await blobs.has(orphan)).toBe(true);
  const text = await workspace.waybill(['gc']);
  expect(text.stdout).toContain('would be removed  1      17 B');
  expect(text.stdout).toContain('waybill gc --apply');
  const applied = await workspace.waybill(['gc', '--apply', '--json']);
  expect(JSON.parse(applied.stdout)).toMatchObject({ applied: true, blobs: { removed: { count: 1, bytes: 17 } } });
  expect(await blobs.has(orphan)).toBe(false);

  const well = await workspace.waybill(['fsck']);
  expect(well.code, well.stdout).toBe(0);
  expect(well.stdout).toContain('nothing is damaged');
  const digest = await blobs.put(Buffer.from('bytes'));
  await writeFile(place(digest), 'Bytes');
  const database = new DatabaseSync(join(workspace.root, '.waybill', 'waybill.db'));
  database.exec('DROP TRIGGER version_update');
  database.close();
  const damaged = await workspace.waybill(['fsck', '--json']);
  expect(damaged.code, damaged.stderr).toBe(1);
  expect(JSON.parse(damaged.stdout)).toMatchObject({
    intact: false,
    damageCount: 2,
    damage: [
      { kind: 'guard_missing', where: 'trigger version_update', todo: expect.stringContaining('backup') },
      { kind: 'blob_corrupt', where: digest, means: expect.stringContaining('not the ones that were stored') },
    ],
  });
  const words = await workspace.waybill(['fsck']);
  expect(words.code).toBe(1);
  expect(words.stdout).toContain('guard_missing');
  expect(words.stdout).toContain('damaged: 2');
});

test('G26 fsck of a database with numbers that cannot be read names the rows and exits with 1', async () => {
  await using workspace = await makeWorkspace({ configuration: 'export default {};\n' });
  const ran = await workspace.waybill(['exec', '--', 'echo', 'hello']);
  expect(ran.code, ran.stderr).toBe(0);
  const database = new DatabaseSync(join(workspace.root, '.waybill', 'waybill.db'));
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER "${String(name)}"`);
  database.exec('UPDATE audit SET at = 9223372036854775807 WHERE id = 1');
  database.exec('UPDATE receipt SET number = 9223372036854775807');
  for (const { sql } of triggers) database.exec(String(sql));
  database.close();
  const damaged = await workspace.waybill(['fsck']);
  expect(damaged.code, damaged.stderr).toBe(1);
  expect(damaged.stdout).toContain('audit 1: at is 9223372036854775807, beyond 2^53 - 1');
  expect(damaged.stdout).toMatch(/receipt \d+: number is 9223372036854775807/);
});
