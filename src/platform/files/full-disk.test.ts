import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendDurably } from './append-durably.ts';
import { fileWriteFailed } from './file-write-failed.ts';
import { writeFileDurably } from './write-file-durably.ts';

// A real full disk needs a mount, which only root can make; the error's form is tested for everybody.
let disk = '';
let mounted = false;
beforeAll(() => {
  disk = mkdtempSync(join(tmpdir(), 'waybill-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], { stdio: 'ignore' });
    mounted = true;
  } catch {
    mounted = false;
  }
});
afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  else chmodSync(disk, 0o700);
  rmSync(disk, { recursive: true, force: true });
});

test('R24 a full disk leaves the old file, no stray file, and an error that says what to do', async () => {
  const failure = fileWriteFailed('/data/run.json', Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
  expect(failure).toMatchObject({ code: 'file_write_failed', exitCode: 3, details: { systemCode: 'ENOSPC' } });
  expect(failure.hint).toMatch(/disk is full/);
  if (!mounted) return;
  const path = join(disk, 'run.json');
  await writeFileDurably(path, 'old');
  await expect(writeFileDurably(path, Buffer.alloc(400_000))).rejects.toMatchObject({
    code: 'file_write_failed',
    details: { systemCode: 'ENOSPC', path },
  });
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(disk)).toEqual(['run.json']);
});

test('R24 an append to a full disk is cut back, and can be done again when there is room', async () => {
  const full = join(disk, 'full');
  symlinkSync('/dev/full', full);
  await expect(appendDurably(full, '{"seq":1}\n')).rejects.toMatchObject({
    code: 'file_write_failed',
    details: { systemCode: 'ENOSPC' },
  });
  if (!mounted) return;
  const path = join(disk, 'ledger.ndjson');
  await appendDurably(path, '{"seq":1}\n');
  await expect(appendDurably(path, 'x'.repeat(400_000))).rejects.toMatchObject({ details: { systemCode: 'ENOSPC' } });
  expect(readFileSync(path, 'utf8')).toBe('{"seq":1}\n');
  await appendDurably(path, '{"seq":2}\n');
  expect(readFileSync(path, 'utf8')).toBe('{"seq":1}\n{"seq":2}\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('R24 a file system or folder that cannot be written gives file_write_failed and an error that says what to do', async () => {
  if (mounted) execFileSync('mount', ['-o', 'remount,ro', disk]);
  else chmodSync(disk, 0o500);
  await expect(writeFileDurably(join(disk, 'state.json'), 'x')).rejects.toMatchObject({
    code: 'file_write_failed',
    hint: mounted ? expect.stringMatching(/read-only/) : expect.stringMatching(/permission/),
    details: { systemCode: mounted ? 'EROFS' : 'EACCES' },
  });
});
