import { execFileSync, fork } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import { isTemporaryName, throughTemporaryFile } from './temporary-file.ts';
import { sweepTemporaryFiles, writeFileDurably } from './write-file-durably.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A pid that belonged to a process which is gone for sure. */
function deadPid(): number {
  return Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
}

test('R12 a file is 0600 in folders 0700, and no temporary file stays', async () => {
  const path = join(folder, 'a', 'b', 'run.json');
  await writeFileDurably(path, 'old');
  await writeFileDurably(path, 'new');
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'a', 'b')).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['run.json']);
});

test('R12 a file can be given other permissions', async () => {
  const path = join(folder, 'waybill.config.ts');
  await writeFileDurably(path, 'export default {}', { mode: 0o644 });
  expect(statSync(path).mode & 0o777).toBe(0o644);
});

test('R12 SIGKILL in the middle of many writes leaves one whole content and nothing the next start does not sweep', async () => {
  const path = join(folder, 'run.json');
  const contents = ['a', 'b', 'c'].map((letter) => letter.repeat(200_000));
  let killed = 0;
  for (let round = 0; round < 6; round++) {
    const writer = fork(join(import.meta.dirname, 'fixtures', 'keep-writing.ts'), [path], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const gone = new Promise((resolve) => writer.once('exit', (_code, signal) => resolve(signal)));
    await new Promise((resolve) => writer.once('message', resolve));
    for (let turn = 0; turn < round * 7; turn++) await new Promise((resolve) => setImmediate(resolve));
    writer.kill('SIGKILL');
    if ((await gone) === 'SIGKILL') killed++;
    expect(contents).toContain(readFileSync(path, 'utf8'));
    await sweepTemporaryFiles(folder);
    expect(readdirSync(folder)).toEqual(['run.json']);
  }
  expect(killed).toBe(6);
});

test('R12 the sweep takes files of dead writers, keeps those of living ones, and touches nothing else', async () => {
  const dead = `.waybill-tmp-${deadPid()}-0123456789abcdef-1`;
  const reusedPid = `.waybill-tmp-${process.pid}-0123456789abcdef-1`;
  const living = `.waybill-tmp-${process.ppid}-0123456789abcdef-1`;
  const old = `.waybill-tmp-${process.ppid}-0123456789abcdef-2`;
  for (const name of [dead, reusedPid, living, old, 'run.json', '.waybill-tmp-notes'])
    writeFileSync(join(folder, name), 'x');
  utimesSync(join(folder, old), 1_000, 1_000);
  expect(await sweepTemporaryFiles(folder)).toBe(3);
  expect(readdirSync(folder).sort()).toEqual([living, '.waybill-tmp-notes', 'run.json'].sort());
  expect(await sweepTemporaryFiles(join(folder, 'missing'))).toBe(0);
});

test('R12 a write whose temporary file is swept by another process is written again', async () => {
  let turns = 0;
  const path = join(folder, 'run.json');
  await throughTemporaryFile({ folder, mode: 0o600, subject: path }, async (handle) => {
    await handle.writeFile('content');
    if (++turns === 1) for (const name of readdirSync(folder)) rmSync(join(folder, name));
    return { path };
  });
  expect(turns).toBe(2);
  expect(readFileSync(path, 'utf8')).toBe('content');
});

test('R12 a write that cannot be finished leaves the old file and says what is wrong', async () => {
  const target = join(folder, 'taken');
  mkdirSync(join(target, 'inside'), { recursive: true });
  const failure = await writeFileDurably(target, 'x').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WaybillError);
  expect(failure).toMatchObject({ code: 'file_write_failed', exitCode: 3, details: { path: target } });
  expect(readdirSync(folder)).toEqual(['taken']);
  await expect(writeFileDurably(join(folder, 'x'.repeat(300)), 'x')).rejects.toMatchObject({
    code: 'file_write_failed',
    details: { systemCode: 'ENAMETOOLONG' },
  });
  expect(readdirSync(folder).filter(isTemporaryName)).toEqual([]);
});
