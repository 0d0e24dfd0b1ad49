import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFolderBlobs } from './folder-blobs.ts';

// A real full disk needs a mount, which only root can make.
let disk = '';
let mounted = false;
beforeAll(() => {
  disk = mkdtempSync(join(tmpdir(), 'waybill-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk], { stdio: 'ignore' });
    mounted = true;
  } catch {
    mounted = false;
  }
});
afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield Buffer.alloc(65_536, index);
}

test('G4 bytes that do not fit on the disk leave it as it was: the upload goes on, or is discarded', async ({
  skip,
}) => {
  if (!mounted) skip();
  const { staged, receive } = createFolderBlobs(disk);
  expect(await staged.append('upload', 0, pieces(8))).toBe(524_288);
  await expect(staged.append('upload', 524_288, pieces(100))).rejects.toMatchObject({
    code: 'file_write_failed',
    details: { systemCode: 'ENOSPC' },
  });
  expect(await staged.stat('upload')).toMatchObject({ size: 524_288 });
  await expect(receive(pieces(100))).rejects.toMatchObject({ code: 'file_write_failed' });
  expect(await staged.append('upload', 524_288, pieces(8))).toBe(1_048_576);
  // Not even room for who holds it: then no lock stays behind that nobody is the holder of.
  expect(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(4_194_304))).toThrow('ENOSPC');
  await expect(staged.discard('upload')).rejects.toMatchObject({ details: { systemCode: 'ENOSPC' } });
  expect(readdirSync(join(disk, 'uploads'))).toEqual(['upload']);
  rmSync(join(disk, 'filler'));
  expect(await staged.discard('upload')).toBe(true);
});
