import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveInside, safeJoin } from './safe-path.ts';

let folder = '';
let root = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-path-')));
  root = join(folder, 'root');
  mkdirSync(join(root, 'a', 'b'), { recursive: true });
  mkdirSync(join(folder, 'rootless'));
  writeFileSync(join(folder, 'secret'), 'x');
  writeFileSync(join(root, 'a', 'file'), 'x');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hostile = [
  '',
  '.',
  './',
  '/',
  '/etc/passwd',
  '..',
  '../secret',
  'a/../../secret',
  'a/..',
  'a\\b',
  'a/\0b',
  '\ud800',
  '//x',
  './..',
];

test.each(hostile)('R29 refuses %j', async (path) => {
  expect(() => safeJoin(root, path)).toThrow(expect.objectContaining({ code: 'invalid_path', exitCode: 2 }));
  await expect(resolveInside(root, path)).rejects.toMatchObject({ code: 'invalid_path' });
});

test('R29 joins what stays inside, names with dots included', async () => {
  expect(safeJoin(root, 'a/b/c.txt')).toBe(join(root, 'a', 'b', 'c.txt'));
  expect(safeJoin(root, './a//b/')).toBe(join(root, 'a', 'b'));
  expect(safeJoin(root, '..a/b..')).toBe(join(root, '..a', 'b..'));
  expect(await resolveInside(root, 'a/file')).toBe(join(root, 'a', 'file'));
  expect(await resolveInside(root, 'a/new/file')).toBe(join(root, 'a', 'new', 'file'));
});

test('R29 no text from outside ever leads out of the root', () => {
  const part = fc.oneof(
    fc.constantFrom('..', '.', '', '/', 'a', '...', '~'),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      let joined: string;
      try {
        joined = safeJoin(root, parts.join('/'));
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_path' });
        return;
      }
      expect(joined.startsWith(`${root}/`)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('R29 links inside the root are followed, links out of it and links to nothing are refused', async () => {
  symlinkSync('b', join(root, 'a', 'inner'));
  symlinkSync(folder, join(root, 'out'));
  symlinkSync('../../rootless', join(root, 'a', 'sibling'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync(join(root, 'a'), join(folder, 'other-way-in'));
  expect(await resolveInside(root, 'a/inner/new')).toBe(join(root, 'a', 'b', 'new'));
  for (const path of ['out', 'out/secret', 'out/new', 'a/sibling/x', 'dangling', 'loop', 'a/file/x']) {
    await expect(resolveInside(root, path), path).rejects.toMatchObject({ code: 'invalid_path' });
  }
  expect(await resolveInside(join(folder, 'other-way-in'), 'file')).toBe(join(root, 'a', 'file'));
  await expect(resolveInside(join(folder, 'missing'), 'file')).rejects.toMatchObject({ code: 'invalid_path' });
});
