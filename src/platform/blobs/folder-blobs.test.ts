import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf, hexOf } from '../digests/digest.ts';
import { createFolderBlobs } from './folder-blobs.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-blobs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = Buffer.from('some bytes');
const digest = digestOf(bytes);
const placeOf = (root: string) => join(root, 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest));
const filesIn = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

test('bytes are stored once under their digest, 0600, whoever brings them', async () => {
  const blobs = createFolderBlobs(join(folder, 'blobs'));
  expect(await blobs.has(digest)).toBe(false);
  const source = join(folder, 'source');
  writeFileSync(source, bytes);
  const answers = await Promise.all([blobs.put(bytes), blobs.put(bytes), blobs.putFile(source)]);
  expect(answers).toEqual([digest, digest, { digest, size: bytes.length }]);
  expect(await blobs.get(digest)).toEqual(bytes);
  expect(filesIn(join(folder, 'blobs'))).toHaveLength(1);
  expect(statSync(placeOf(folder)).mode & 0o777).toBe(0o600);
  expect(await blobs.put(new Uint8Array())).toBe(digestOf(''));
  expect(await blobs.get(digestOf(''))).toHaveLength(0);
});

test('a changed or cut blob is found when it is read, and healed when it is stored again', async () => {
  const blobs = createFolderBlobs(join(folder, 'blobs'));
  await blobs.put(bytes);
  for (const damage of [
    () => appendFileSync(placeOf(folder), 'x'),
    () => truncateSync(placeOf(folder), 3),
    () => writeFileSync(placeOf(folder), 'same bytes'),
  ]) {
    damage();
    await expect(blobs.get(digest)).rejects.toMatchObject({ code: 'blob_corrupt', details: { digest } });
    await blobs.put(bytes);
    expect(await blobs.get(digest)).toEqual(bytes);
  }
  rmSync(placeOf(folder));
  await expect(blobs.get(digest)).rejects.toMatchObject({ code: 'blob_missing', exitCode: 3 });
});

test('a file far larger than the memory it may use is stored in pieces', async () => {
  const blobs = createFolderBlobs(join(folder, 'blobs'));
  const source = join(folder, 'large');
  writeFileSync(source, 'end');
  truncateSync(source, 192 * 1024 * 1024);
  let peak = 0;
  const before = process.memoryUsage.rss();
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss() - before);
  }, 5);
  const stored = await blobs.putFile(source).finally(() => clearInterval(watch));
  expect(stored.size).toBe(192 * 1024 * 1024);
  expect(await blobs.has(stored.digest)).toBe(true);
  expect(peak).toBeGreaterThan(0);
  expect(peak).toBeLessThan(48 * 1024 * 1024);
});

test('what is not a readable regular file is refused at once and leaves nothing', async () => {
  const blobs = createFolderBlobs(join(folder, 'blobs'));
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  for (const path of [join(folder, 'fifo'), join(folder, 'missing'), folder]) {
    await expect(blobs.putFile(path), path).rejects.toMatchObject({ code: 'file_read_failed' });
  }
  expect(filesIn(join(folder, 'blobs'))).toEqual([]);
});

test('R12 what a crashed writer left behind is swept at start', async () => {
  const blobs = createFolderBlobs(join(folder, 'blobs'));
  expect(await blobs.sweep()).toBe(0);
  await blobs.put(bytes);
  writeFileSync(join(folder, 'blobs', 'sha256', `.waybill-tmp-${process.pid}-00000000deadbeef-1`), 'half');
  expect(await blobs.sweep()).toBe(1);
  expect(filesIn(join(folder, 'blobs'))).toHaveLength(1);
});
