import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../digests/digest.ts';
import { blobStoreConformance } from './blob-store-conformance.ts';
import { createFolderBlobs } from './folder-blobs.ts';

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

describe('a folder of blobs', () => {
  blobStoreConformance(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-blobs-'));
    return {
      open: () => createFolderBlobs(folder),
      count: async () => filesIn(folder).length,
      damage: async (digest) => {
        const hex = hexOf(digest);
        writeFileSync(join(folder, 'sha256', hex.slice(0, 2), hex), 'damaged');
      },
      [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
    };
  });
});

describe('after a crash', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-blobs-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('G1 G4 an upload goes on where a process was killed in the middle of it, three times', async () => {
    const blobs = createFolderBlobs(folder);
    let last = 0;
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/append-for-ever.ts'), folder], {
        stdio: 'inherit',
      });
      const ended = once(child, 'exit');
      const before = last;
      await expect
        .poll(async () => (await blobs.staged.stat('one'))?.size ?? 0, { timeout: 20_000 })
        .toBeGreaterThan(before);
      child.kill('SIGKILL');
      expect(await ended).toEqual([null, 'SIGKILL']);
      last = (await blobs.staged.stat('one'))?.size ?? 0;
      // The dead process holds nothing any more.
      expect(await blobs.staged.append('one', last, pieceOf('a'))).toBe(last + 1);
      last += 1;
    }
    const { digest, size } = await blobs.staged.finish('one');
    expect(size).toBe(last);
    expect(hexOf(digest)).toBe(createHash('sha256').update(Buffer.alloc(last, 'a')).digest('hex'));
    expect(filesIn(folder)).toHaveLength(1);
  });

  test('G26 bytes that a dead collector was about to remove can be read, and are put back at start', async () => {
    const blobs = createFolderBlobs(folder);
    const digest = await blobs.put(Buffer.from('looked at'));
    const child = spawn('true');
    await once(child, 'exit');
    const hex = hexOf(digest);
    const base = join(folder, 'sha256');
    renameSync(join(base, hex.slice(0, 2), hex), join(base, `.waybill-trash-${child.pid}-00000000deadbeef-1-${hex}`));
    expect(await blobs.has(digest)).toBe(false);
    expect(Buffer.from(await blobs.get(digest)).toString()).toBe('looked at');
    expect(await blobs.sweep()).toBe(1);
    expect(await blobs.stat(digestOf('looked at'))).toMatchObject({ digest, size: 9 });
  });
});

async function* pieceOf(text: string): AsyncGenerator<Uint8Array, void, void> {
  yield Buffer.from(text);
}
