import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Snapshot, SnapshotPort } from '../../domain/runs/ports.ts';
import { systemClock } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { treeDigest } from '../../platform/trees/tree-digest.ts';
import { createSnapshotPort } from './snapshot-port.ts';

let folder = '';
let root = '';
let cacheFile = '';
let port: SnapshotPort;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-snap-'));
  root = join(folder, 'tree');
  cacheFile = join(folder, 'cache', 'tree');
  mkdirSync(root);
  port = createSnapshotPort({ cacheFile, clock: systemClock });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always', ...args], {
    cwd: root,
    stdio: 'pipe',
  });
const put = (path: string, content: string | Buffer = path) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
};
const capture = (include: string[] = [], exclude: string[] = []) => port.capture({ root, include, exclude });
const paths = (snapshot: Snapshot) => snapshot.files.map((file) => file.path);
const fresh = () => createSnapshotPort({ cacheFile: join(folder, 'none', 'tree'), clock: systemClock });

/** The tree told by other means than the code under test. */
function describeTree(): string {
  const told = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('.git'))
    .map((path) => [path, lstatSync(join(root, path))] as const)
    .filter(([, stats]) => !stats.isDirectory())
    .map(([path, stats]) =>
      stats.isSymbolicLink()
        ? [path, readlinkSync(join(root, path))]
        : [path, stats.mode & 0o100, readFileSync(join(root, path), 'utf8')],
    );
  return JSON.stringify(told.sort());
}

test('R35 in a checkout: tracked and untracked files, not ignored, deleted, .git or .waybill ones', async () => {
  git('init', '-q');
  for (const path of [
    'tracked',
    'gone',
    'sub/file',
    'untracked',
    'ignored/x',
    '.waybill/waybill.db',
    'sub/.waybill/state.json',
  ])
    put(path);
  put('.gitignore', 'ignored/\n');
  git('add', 'tracked', 'gone', '.gitignore', 'sub/file');
  rmSync(join(root, 'gone'));
  const snapshot = await capture();
  expect(snapshot.rule).toBe('git');
  expect(paths(snapshot)).toEqual(['.gitignore', 'sub/file', 'tracked', 'untracked']);
  expect(snapshot.omitted).toEqual([]);
  expect(snapshot.bytes).toBe('ignored/\nsub/filetrackeduntracked'.length);
  expect(snapshot.digest).toBe(treeDigest('git', snapshot.files));
  expect(snapshot.id).toBe(`snap-${snapshot.digest.slice(7, 19)}`);
});

test('R35 outside git: everything but node_modules, and the rule is part of the digest', async () => {
  for (const path of ['a', 'node_modules/dep/x', 'p/node_modules/y', '.waybill/z']) put(path);
  const walked = await capture();
  expect(walked.rule).toBe('walk');
  expect(paths(walked)).toEqual(['a']);
  expect(walked.omitted).toEqual([
    { path: 'node_modules', reason: 'excluded' },
    { path: 'p/node_modules', reason: 'excluded' },
  ]);
  put('.gitignore', 'node_modules\n');
  const before = await capture();
  git('init', '-q');
  const after = await capture();
  expect(paths(after)).toEqual(paths(before));
  expect(after.rule).toBe('git');
  expect(after.digest).not.toBe(before.digest);
});

test('R35 include adds what the rule leaves out, exclude takes away, what is excluded is said', async () => {
  for (const path of ['a.ts', 'dist/keep.js', 'dist/.hidden/x', 'docs/b.md', 'docs/deep/c.md', 'd.md']) put(path);
  put('.gitignore', 'dist\n');
  git('init', '-q');
  expect(paths(await capture(['dist']))).toEqual([
    '.gitignore',
    'a.ts',
    'd.md',
    'dist/.hidden/x',
    'dist/keep.js',
    'docs/b.md',
    'docs/deep/c.md',
  ]);
  const less = await capture(['dist/**', '.git/**'], ['docs/', '*.md', 'dist/keep.*']);
  expect(paths(less)).toEqual(['.gitignore', 'a.ts', 'dist/.hidden/x']);
  expect(less.omitted).toEqual([
    { path: 'd.md', reason: 'excluded' },
    { path: 'dist/keep.js', reason: 'excluded' },
    { path: 'docs', reason: 'excluded' },
  ]);
});

test('R4 the same tree at another path, with other times, owner, ignore file and git history has the same id', async () => {
  for (const path of ['b', 'a/x', 'z.log']) put(path);
  symlinkSync('b', join(root, 'link'));
  git('init', '-q');
  git('add', '-A');
  const first = await capture();
  const home = join(folder, 'home');
  mkdirSync(join(home, 'git'), { recursive: true });
  writeFileSync(join(home, 'git', 'ignore'), '*.log\n');
  const elsewhere = join(folder, 'elsewhere', 'deeper');
  mkdirSync(join(folder, 'elsewhere'));
  execFileSync('cp', ['-r', root, elsewhere]);
  rmSync(join(elsewhere, '.git'), { recursive: true });
  execFileSync('git', ['init', '-q'], { cwd: elsewhere });
  utimesSync(join(elsewhere, 'b'), 1, 1);
  chmodSync(join(elsewhere, 'b'), 0o600);
  const saved = process.env.XDG_CONFIG_HOME;
  process.env.XDG_CONFIG_HOME = home;
  try {
    const second = await fresh().capture({ root: elsewhere, include: [], exclude: [] });
    expect(second.digest).toBe(first.digest);
    expect(second.files).toEqual(first.files);
  } finally {
    if (saved === undefined) delete process.env.XDG_CONFIG_HOME;
    else process.env.XDG_CONFIG_HOME = saved;
  }
});

test.each(['git', 'walk'])(
  'R4 any edit gives another id, and the cached capture always equals a fresh one (%s)',
  async (rule) => {
    if (rule === 'git') git('init', '-q');
    const name = fc.constantFrom('a', 'b', 'd/c', 'd/e', 'é', 'new\nline', '"quoted"');
    const edit = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), path: name, text: fc.constantFrom('1', '2', '33') }),
      fc.record({ kind: fc.constant('mode' as const), path: name, text: fc.constantFrom('x', '-') }),
      fc.record({ kind: fc.constant('remove' as const), path: name, text: fc.constant('') }),
      fc.record({ kind: fc.constant('rename' as const), path: name, text: name }),
      fc.record({ kind: fc.constant('link' as const), path: name, text: fc.constantFrom('nowhere', 'elsewhere') }),
    );
    const ids = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), async (edits) => {
        for (const { kind, path, text } of edits) {
          const target = join(root, path);
          if (kind === 'write') {
            if (lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(target);
            put(path, text);
          } else if (kind === 'link') {
            rmSync(target, { force: true });
            mkdirSync(join(target, '..'), { recursive: true });
            symlinkSync(text, target);
          } else if (!existsSync(target)) continue;
          else if (kind === 'mode') chmodSync(target, text === 'x' ? 0o755 : 0o644);
          else if (kind === 'remove') rmSync(target);
          else if (path !== text) {
            mkdirSync(join(root, text, '..'), { recursive: true });
            renameSync(target, join(root, text));
          }
        }
        const snapshot = await capture();
        const state = describeTree();
        const again = await fresh().capture({ root, include: [], exclude: [] });
        expect(again).toEqual(snapshot);
        const known = ids.get(state);
        if (known !== undefined) expect(snapshot.digest).toBe(known);
        else expect([...ids.values()]).not.toContain(snapshot.digest);
        ids.set(state, snapshot.digest);
      }),
      { numRuns: 25 },
    );
    expect(ids.size).toBeGreaterThan(5);
  },
  60_000,
);

test('R4 an edit that keeps size and mtime is seen, however soon it comes', async () => {
  put('file', 'aaaa');
  const seen = new Set([(await capture()).digest]);
  const { atime, mtime } = statSync(join(root, 'file'));
  for (const text of ['bbbb', 'cccc', 'dddd']) {
    put('file', text);
    utimesSync(join(root, 'file'), atime, mtime);
    seen.add((await capture()).digest);
  }
  expect(seen.size).toBe(4);
});

test('R5 links are recorded as links, an empty tree is defined, an executable is told from a file', async () => {
  const empty = await capture();
  expect(empty.files).toEqual([]);
  expect(empty.digest).toBe(treeDigest('walk', []));
  put('run.sh');
  chmodSync(join(root, 'run.sh'), 0o755);
  symlinkSync('/etc/passwd', join(root, 'out'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('.', join(root, 'loop'));
  expect((await capture()).files).toEqual([
    { path: 'dangling', kind: 'symlink', size: 7, digest: digestOf('nowhere') },
    { path: 'loop', kind: 'symlink', size: 1, digest: digestOf('.') },
    { path: 'out', kind: 'symlink', size: 11, digest: digestOf('/etc/passwd') },
    { path: 'run.sh', kind: 'executable', size: 6, digest: digestOf('run.sh') },
  ]);
});

test.each(['git', 'walk'])(
  'R5 names with newlines, quotes, percent signs and bytes that are not UTF-8 (%s)',
  async (rule) => {
    if (rule === 'git') git('init', '-q');
    put('a\nb');
    put('"q\'\t%FF');
    put('ü/😀');
    const bad = Buffer.concat([Buffer.from(`${root}/d%`), Buffer.from([0xff, 0xfe])]);
    mkdirSync(bad);
    writeFileSync(Buffer.concat([bad, Buffer.from('/x')]), 'content');
    put('d%25%FF%FE/x');
    const snapshot = await capture();
    expect(snapshot.files).toHaveLength(5);
    const twins = snapshot.files.filter((file) => file.path === 'd%25%FF%FE/x');
    expect(twins).toEqual([
      { path: 'd%25%FF%FE/x', kind: 'file', size: 12, digest: digestOf('d%25%FF%FE/x') },
      { path: 'd%25%FF%FE/x', raw: true, kind: 'file', size: 7, digest: digestOf('content') },
    ]);
    expect(paths(snapshot)).toContain('a\nb');
    expect(
      (await createSnapshotPort({ cacheFile, clock: systemClock }).capture({ root, include: [], exclude: [] })).digest,
    ).toBe(snapshot.digest);
  },
);

test('R5 R6 a FIFO, a socket and an unreadable file are left out with the reason, and never waited for', async () => {
  put('fine');
  execFileSync('mkfifo', [join(root, 'fifo')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
  try {
    const snapshot = await capture();
    expect(paths(snapshot)).toEqual(['fine']);
    expect(snapshot.omitted).toEqual([
      { path: 'fifo', reason: 'fifo' },
      { path: 'socket', reason: 'socket' },
    ]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  git('init', '-q');
  put('tracked');
  git('add', 'tracked');
  rmSync(join(root, 'tracked'));
  execFileSync('mkfifo', [join(root, 'tracked')]);
  expect((await capture()).omitted).toContainEqual({ path: 'tracked', reason: 'fifo' });
});

test('R5 a 4 GiB file is read in constant memory', async () => {
  const size = process.env.WAYBILL_TEST_FULL === '1' ? 4 * 1024 ** 3 : 256 * 1024 ** 2;
  put('large', '');
  truncateSync(join(root, 'large'), size);
  const before = process.memoryUsage.rss();
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss() - before);
  }, 2);
  const snapshot = await capture().finally(() => clearInterval(watch));
  expect(snapshot.bytes).toBe(size);
  expect(peak).toBeLessThan(32 * 1024 ** 2);
}, 120_000);

test('R5 files that come, go and change kind during captures never break one', async () => {
  for (let index = 0; index < 300; index++) put(`d${index % 7}/f${index}`);
  for (let round = 0; round < 15; round++) {
    const running = fresh().capture({ root, include: [], exclude: [] });
    for (let index = round; index < 300; index += 13) {
      const target = join(root, `d${index % 7}/f${index}`);
      await new Promise((resolve) => setImmediate(resolve));
      rmSync(target, { recursive: true, force: true });
      if (index % 3 === 0) symlinkSync('/dev/zero', target);
      else if (index % 3 === 1) mkdirSync(target);
    }
    const snapshot = await running;
    expect(snapshot.digest).toBe(treeDigest('walk', snapshot.files));
  }
  expect((await capture()).files).toEqual((await fresh().capture({ root, include: [], exclude: [] })).files);
});

test('R5 a folder of tracked files replaced by a link is recorded as the link, and nothing behind it is read', async () => {
  git('init', '-q');
  put('dir/sub/file');
  git('add', '-A');
  const outside = join(folder, 'outside');
  mkdirSync(join(outside, 'sub'), { recursive: true });
  writeFileSync(join(outside, 'sub', 'file'), 'secret');
  rmSync(join(root, 'dir'), { recursive: true });
  symlinkSync(outside, join(root, 'dir'));
  const snapshot = await capture();
  expect(snapshot.files.map(({ path, kind }) => [path, kind])).toEqual([['dir', 'symlink']]);
});

test('R6 a submodule and a checkout inside the checkout are left out with the reason', async () => {
  git('init', '-q');
  put('nested/file');
  execFileSync('git', ['init', '-q'], { cwd: join(root, 'nested') });
  const other = join(folder, 'other');
  execFileSync('git', ['init', '-q', other]);
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-q', '--allow-empty', '-m', 'x'], {
    cwd: other,
  });
  git('submodule', 'add', '-q', other, 'module');
  put('was-file');
  git('add', 'was-file');
  rmSync(join(root, 'was-file'));
  put('was-file/inside');
  const snapshot = await capture();
  expect(paths(snapshot)).toEqual(['.gitmodules', 'was-file/inside']);
  expect(snapshot.omitted).toEqual([
    { path: 'module', reason: 'submodule' },
    { path: 'nested', reason: 'submodule' },
  ]);
});

test('R35 git that hangs or cannot read its checkout is an error, git that is missing is another rule that is said', async () => {
  put('a');
  git('init', '-q');
  const withGit = (command: string, timeoutMs = 20_000) =>
    createSnapshotPort({ cacheFile, clock: systemClock, git: { command, timeoutMs } });
  const fake = join(folder, 'fake-git');
  writeFileSync(fake, '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
  const request = { root, include: [], exclude: [] };
  await expect(withGit(fake, 100).capture(request)).rejects.toMatchObject({
    code: 'snapshot_failed',
    exitCode: 3,
    hint: expect.any(String),
  });
  expect(await withGit(join(folder, 'no-git')).capture(request)).toMatchObject({ rule: 'walk' });
  writeFileSync(join(root, '.git', 'index'), 'garbage that is no index');
  await expect(capture()).rejects.toMatchObject({
    code: 'snapshot_failed',
    message: expect.stringMatching(/git cannot list/),
  });
  await expect(port.capture({ ...request, root: join(folder, 'missing') })).rejects.toMatchObject({
    code: 'snapshot_failed',
  });
});

test('R4 a damaged, cut or foreign cache is ignored and written again; a cache that cannot be written is only said', async () => {
  for (let index = 0; index < 40; index++) put(`f${index}`);
  const right = await capture();
  const good = readFileSync(cacheFile);
  const flipped = Buffer.from(good);
  flipped.writeUInt8((flipped.at(-3) ?? 0) ^ 1, flipped.length - 3);
  for (const damaged of [
    flipped,
    good.subarray(0, good.length / 2),
    Buffer.alloc(0),
    Buffer.from('waybill tree cache 1\n'),
    Buffer.alloc(5000, 7),
  ]) {
    writeFileSync(cacheFile, damaged);
    const again = await createSnapshotPort({ cacheFile, clock: systemClock }).capture({
      root,
      include: [],
      exclude: [],
    });
    expect(again).toEqual(right);
    expect(readFileSync(cacheFile).length).toBe(good.length);
  }
  let problem: unknown;
  const blocked = createSnapshotPort({
    cacheFile: join(root, 'f1', 'cache'),
    clock: systemClock,
    onCacheProblem: (error) => (problem = error),
  });
  expect((await blocked.capture({ root, include: [], exclude: [] })).digest).toBe(right.digest);
  expect(problem).toMatchObject({ code: 'file_write_failed' });
});

test('R4 requests that wait share the next capture, and none is answered with an older tree', async () => {
  put('a', '1');
  const first = capture();
  put('a', '2');
  const [second, third] = await Promise.all([capture(), capture()]);
  await first;
  expect(second).toBe(third);
  expect(second.files[0]?.digest).toBe(digestOf('2'));
  const controller = new AbortController();
  const running = port.capture({ root, include: [], exclude: [] }, controller.signal);
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'canceled' });
  expect((await capture()).digest).toBe(second.digest);
});
