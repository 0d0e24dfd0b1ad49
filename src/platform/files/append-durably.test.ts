import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appendDurably, cutTornLine } from './append-durably.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-append-'));
  path = join(folder, 'runs', 'ledger.ndjson');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('R12 appends in order, makes the file 0600 and its folder 0700', async () => {
  await appendDurably(path, 'one\n');
  await appendDurably(path, Buffer.from('two\n'), { sync: false });
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'runs')).mode & 0o777).toBe(0o700);
});

test('R12 a torn last line is cut, whole lines stay, wherever the crash fell', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[a-z{}":0-9]{0,40}$/), { maxLength: 5 }),
      fc.stringMatching(/^[a-z]{0,30}$/),
      async (lines, torn) => {
        const whole = lines.map((line) => `${line}\n`).join('');
        const file = join(folder, 'ledger.ndjson');
        writeFileSync(file, whole + torn);
        expect(await cutTornLine(file)).toBe(torn.length);
        expect(readFileSync(file, 'utf8')).toBe(whole);
        expect(await cutTornLine(file)).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test('R12 a torn line longer than one read is cut as a whole', async () => {
  const file = join(folder, 'ledger.ndjson');
  writeFileSync(file, `{"seq":1}\n${'x'.repeat(200_001)}`);
  expect(await cutTornLine(file)).toBe(200_001);
  expect(readFileSync(file, 'utf8')).toBe('{"seq":1}\n');
  writeFileSync(file, 'y'.repeat(70_000));
  expect(await cutTornLine(file)).toBe(70_000);
  expect(statSync(file).size).toBe(0);
  expect(await cutTornLine(join(folder, 'missing'))).toBe(0);
});

test('R24 an append that cannot be done is file_write_failed', async () => {
  await expect(appendDurably(folder, 'x\n')).rejects.toMatchObject({
    code: 'file_write_failed',
    details: { systemCode: 'EISDIR' },
  });
  await expect(cutTornLine(folder)).rejects.toMatchObject({ code: 'file_write_failed' });
});
