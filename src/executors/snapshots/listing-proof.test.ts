import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SnapshotPort } from '../../domain/runs/ports.ts';
import { systemClock } from '../../platform/clock/clock.ts';
import { createSnapshotPort } from './snapshot-port.ts';

let folder = '';
let root = '';
let calls = '';
let port: SnapshotPort;
let command = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-proof-'));
  root = join(folder, 'tree');
  calls = join(folder, 'calls');
  command = join(folder, 'counting-git');
  mkdirSync(root);
  writeFileSync(command, `#!/bin/sh\necho x >> ${calls}\nexec git "$@"\n`, { mode: 0o755 });
  port = createSnapshotPort({ cacheFile: join(folder, 'cache', 'tree'), clock: systemClock, git: { command } });
  git('init', '-q');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: root, stdio: 'pipe' });
const put = (path: string, content = path) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
};
const capture = (from = port) => from.capture({ root, include: [], exclude: [] });
const fresh = () => createSnapshotPort({ cacheFile: join(folder, 'none', 'tree'), clock: systemClock });

/** Until nothing in the tree is so young that a look at it proves nothing: the clock for files has moved on. */
const aged = () => new Promise((resolve) => setTimeout(resolve, 30));

/** How often git is asked while `work` runs. */
async function gitCalls(work: () => Promise<unknown>): Promise<number> {
  writeFileSync(calls, '');
  await work();
  return readFileSync(calls, 'utf8').length / 2;
}

test('R33 git is not asked again while nothing it would read has changed, in this process and the next', async () => {
  for (const path of ['a', 'deep/er/b', '.waybill/waybill.db', 'dist/x', 'node_modules/y/z']) put(path);
  put('.gitignore', 'dist/\nnode_modules/\n');
  git('add', 'a');
  await aged();
  const first = await capture();
  expect(await gitCalls(() => capture())).toBe(0);
  put('a', 'changed in place');
  put('.waybill/other');
  put('dist/more');
  put('node_modules/y/more');
  expect(await gitCalls(() => capture())).toBe(0);
  expect((await capture()).digest).toBe((await capture(fresh())).digest);
  expect((await capture()).digest).not.toBe(first.digest);
  const next = createSnapshotPort({ cacheFile: join(folder, 'cache', 'tree'), clock: systemClock, git: { command } });
  expect(await gitCalls(() => capture(next))).toBe(0);
  expect(await capture(next)).toEqual(await capture(fresh()));
});

test.each([
  ['a new file', () => put('deep/er/new')],
  ['a new file in a new folder', () => put('deep/x/y/new')],
  ['another rule in an ignore file', () => put('deep/.gitignore', 'er\n')],
  ['another rule of the checkout itself', () => put('.git/info/exclude', 'deep\n')],
  ['an ignored file that is staged', () => git('add', '-f', 'dist/x')],
  ['a file that goes', () => rmSync(join(root, 'deep/er/b'))],
  ['a folder that goes', () => rmSync(join(root, 'deep'), { recursive: true })],
  ['a file in a folder that was empty', () => put('empty/new')],
  ['a checkout that is gone', () => rmSync(join(root, '.git'), { recursive: true })],
  ['a new checkout', () => [rmSync(join(root, '.git'), { recursive: true }), git('init', '-q')]],
])('R4 %s is never missed', async (_what, change) => {
  for (const path of ['a', 'deep/er/b', 'deep/.gitignore', 'dist/x'])
    put(path, path.endsWith('ignore') ? 'nothing\n' : path);
  put('.gitignore', 'dist/\n');
  if (_what.includes('empty')) mkdirSync(join(root, 'empty'));
  git('add', 'a');
  await aged();
  await capture();
  await aged();
  await capture();
  change();
  expect(await capture()).toEqual(await capture(fresh()));
  await aged();
  expect(await capture()).toEqual(await capture(fresh()));
});

test('R4 whatever is done to a checkout between captures, the answer is that of a fresh one', async () => {
  const name = fc.constantFrom('a', 'd/a', 'd/e/a', 'o/a', 'o/p/a');
  const step = fc.oneof(
    fc.record({ what: fc.constant('write' as const), path: name, text: fc.constantFrom('1', '22') }),
    fc.record({
      what: fc.constant('remove' as const),
      path: fc.oneof(name, fc.constantFrom('d', 'o')),
      text: fc.constant(''),
    }),
    fc.record({
      what: fc.constant('folder' as const),
      path: fc.constantFrom('d/e/f', 'o/q', 'r'),
      text: fc.constant(''),
    }),
    fc.record({
      what: fc.constant('ignore' as const),
      path: fc.constantFrom('', 'd/', 'o/'),
      text: fc.constantFrom('a', 'p', 'o', '!a', '*'),
    }),
    fc.record({ what: fc.constantFrom('add' as const, 'unstage' as const), path: name, text: fc.constant('') }),
  );
  let asked = 0;
  let captures = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), fc.boolean(), async (steps, old) => {
      for (const { what, path, text } of steps) {
        if (what === 'write') put(path, text);
        else if (what === 'remove') rmSync(join(root, path), { recursive: true, force: true });
        else if (what === 'folder') mkdirSync(join(root, path), { recursive: true });
        else if (what === 'ignore') put(`${path}.gitignore`, `${text}\n`);
        else if (what === 'add') git('add', '-A');
        else git('rm', '-q', '-r', '--cached', '--ignore-unmatch', path);
      }
      if (old) await aged();
      for (let turn = 0; turn < 2; turn++) {
        captures++;
        asked += (await gitCalls(async () => expect(await capture()).toEqual(await capture(fresh())))) > 0 ? 1 : 0;
      }
    }),
    { numRuns: 25 },
  );
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(captures);
}, 60_000);
