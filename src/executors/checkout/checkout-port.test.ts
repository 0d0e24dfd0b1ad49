import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock/clock.ts';
import { createCheckoutPort } from './checkout-port.ts';
import { nameIn, stripCredentials } from './strip-credentials.ts';

let folder = '';
let root = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-checkout-'));
  root = join(folder, 'place');
  mkdirSync(root);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: root, encoding: 'utf8' }).trim();
const script = (text: string) => {
  const path = join(folder, 'fake-git');
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
};
const facts = (command?: string, timeoutMs = 20_000) =>
  createCheckoutPort({ clock: systemClock, git: { timeoutMs, ...(command === undefined ? {} : { command }) } }).facts(
    root,
  );
const known = <T>(value: T) => ({ known: true, value });
const unknownFor = (reason: RegExp) => ({ known: false, reason: expect.stringMatching(reason) });

test('a checkout tells its name, remote without credentials, commit, branch and whether it is clean (part of D16)', async () => {
  git('init', '-q', '-b', 'main');
  writeFileSync(join(root, 'a'), '1');
  git('add', 'a');
  git('commit', '-q', '-m', 'x');
  git('remote', 'add', 'upstream', 'https://other.test/other.git');
  git('remote', 'add', 'origin', 'https://user:s3cret@host.test/team/goods.git?token=s3cret');
  const before = systemClock.now();
  const clean = await facts();
  expect(clean).toMatchObject({
    name: known('goods'),
    remote: known('https://host.test/team/goods.git'),
    commit: known(git('rev-parse', 'HEAD')),
    branch: known('main'),
    dirty: known(false),
  });
  expect(clean.readAt).toBeGreaterThanOrEqual(before);
  writeFileSync(join(root, 'new'), '1');
  expect((await facts()).dirty).toEqual(known(true));
  git('checkout', '-q', '--detach');
  rmSync(join(root, 'new'));
  expect(await facts()).toMatchObject({ branch: unknownFor(/detached/), dirty: known(false) });
});

test('one port sees each change at once: an edit, a new file, a commit, another branch (part of D16)', async () => {
  const port = createCheckoutPort({ clock: systemClock });
  git('init', '-q', '-b', 'main');
  mkdirSync(join(root, 'deep', 'empty'), { recursive: true });
  writeFileSync(join(root, 'deep', 'a'), '1');
  git('add', '-A');
  git('commit', '-q', '-m', 'x');
  expect((await port.facts(root)).dirty).toEqual(known(false));
  writeFileSync(join(root, 'deep', 'a'), '2');
  expect((await port.facts(root)).dirty).toEqual(known(true));
  git('commit', '-q', '-a', '-m', 'y');
  expect(await port.facts(root)).toMatchObject({ dirty: known(false), commit: known(git('rev-parse', 'HEAD')) });
  writeFileSync(join(root, 'deep', 'empty', 'b'), '1');
  expect((await port.facts(root)).dirty).toEqual(known(true));
  rmSync(join(root, 'deep', 'empty', 'b'));
  expect((await port.facts(root)).dirty).toEqual(known(false));
  git('checkout', '-q', '-b', 'other');
  expect((await port.facts(root)).branch).toEqual(known('other'));
});

test('questions that are asked together share one look (part of D16)', async () => {
  const calls = join(folder, 'calls');
  const port = createCheckoutPort({
    clock: systemClock,
    git: { command: script(`echo x >> ${calls}; exec git "$@"`) },
  });
  git('init', '-q');
  const answers = await Promise.all(Array.from({ length: 50 }, () => port.facts(root)));
  expect(new Set(answers).size).toBe(1);
  expect(statSync(calls).size).toBe('x\n'.length * 2);
});

test.runIf(process.platform === 'linux')(
  'facts are read again when something changed, and only then (part of D16)',
  async () => {
    const calls = join(folder, 'calls');
    const command = script(`echo x >> ${calls}; exec git "$@"`);
    const port = createCheckoutPort({ clock: systemClock, git: { command } });
    git('init', '-q', '-b', 'main');
    for (const path of ['src/deep', 'docs', 'dist', '.waybill']) mkdirSync(join(root, path), { recursive: true });
    for (const path of ['a', 'src/b', 'src/deep/c', 'docs/d', 'dist/e', '.waybill/f'])
      writeFileSync(join(root, path), '1');
    writeFileSync(join(root, '.gitignore'), 'dist/\n.waybill/\n');
    git('add', '-A');
    git('commit', '-q', '-m', 'x');
    await port.facts(root);
    let last = await port.facts(root);
    const changes: (() => unknown)[] = [
      () => writeFileSync(join(root, 'src/deep/c'), '2'),
      () => git('add', '-A'),
      () => git('commit', '-q', '-m', 'y'),
      () => git('commit', '-q', '--amend', '-m', 'z'),
      () => git('checkout', '-q', '-b', 'other'),
      () => git('remote', 'add', 'origin', 'https://host.test/x.git'),
      () => mkdirSync(join(root, 'docs/new')),
      () => writeFileSync(join(root, 'docs/new/file'), '1'),
      () => rmSync(join(root, 'docs/new'), { recursive: true }),
      () => rmSync(join(root, 'a')),
      () => git('checkout', '-q', 'a'),
    ];
    for (const change of changes) {
      writeFileSync(calls, '');
      writeFileSync(join(root, 'dist/e'), `${Math.random()}`);
      writeFileSync(join(root, '.waybill/f'), `${Math.random()}`);
      expect(await port.facts(root)).toBe(last);
      expect(await port.facts(root)).toBe(last);
      expect(statSync(calls).size).toBe(0);
      change();
      const [now, truth] = [await port.facts(root), await facts()];
      expect({ ...now, readAt: 0 }).toEqual({ ...truth, readAt: 0 });
      expect(now.readAt).toBeGreaterThan(last.readAt);
      last = await port.facts(root);
    }
  },
);

test('D17 no checkout, no commit, no remote, no folder: unknown with the reason, never "clean"', async () => {
  const none = await facts();
  for (const fact of [none.name, none.remote, none.commit, none.branch, none.dirty])
    expect(fact).toEqual(unknownFor(/not a git checkout/));
  git('init', '-q', '-b', 'main');
  expect(await facts()).toMatchObject({
    name: known('place'),
    commit: unknownFor(/no commit/),
    branch: known('main'),
    remote: unknownFor(/no remote/),
    dirty: known(false),
  });
  rmSync(root, { recursive: true });
  expect((await facts()).dirty).toEqual(unknownFor(/no folder/));
});

test('outside of checkouts git is asked once, until one begins here or above, or the folder is gone (part of D17)', async () => {
  const calls = join(folder, 'calls');
  const command = script(`echo x >> ${calls}; exec git "$@"`);
  const asked = () => readFileSync(calls, 'utf8').length / 2;
  const port = createCheckoutPort({ clock: systemClock, git: { command } });
  for (let time = 0; time < 5; time++)
    expect((await port.facts(root)).commit).toEqual(unknownFor(/not a git checkout/));
  expect(asked()).toBe(2);
  execFileSync('git', ['init', '-q'], { cwd: folder });
  expect((await port.facts(root)).commit).toEqual(unknownFor(/no commit yet/));
  rmSync(join(folder, '.git'), { recursive: true });
  expect((await port.facts(root)).commit).toEqual(unknownFor(/not a git checkout/));
  git('init', '-q', '-b', 'main');
  expect((await port.facts(root)).branch).toEqual(known('main'));
  rmSync(root, { recursive: true });
  expect((await port.facts(root)).commit).toEqual(unknownFor(/no folder/));
});

test('D17 git that is missing, hangs, refuses or talks nonsense: unknown with the reason, in bounded time', async () => {
  git('init', '-q');
  expect((await facts(join(folder, 'no-such-git'))).dirty).toEqual(unknownFor(/not installed/));
  expect((await facts(script('sleep 60'), 100)).dirty).toEqual(unknownFor(/did not answer within 0.1 s/));
  expect((await facts(script('echo "fatal: detected dubious ownership in repository" >&2; exit 128'))).commit).toEqual(
    unknownFor(/git refused: detected dubious ownership/),
  );
  expect((await facts(script('echo hello'))).dirty).toEqual(unknownFor(/cannot read/));
  writeFileSync(join(root, '.git', 'index'), 'no index');
  expect((await facts()).dirty).toEqual(unknownFor(/git refused/));
});

test('a look runs no program of the checkout, takes no lock, and is not led astray by GIT_DIR (part of D16)', async () => {
  git('init', '-q', '-b', 'main');
  writeFileSync(join(root, 'a'), '1');
  git('add', 'a');
  git('commit', '-q', '-m', 'x');
  const trap = join(folder, 'trap');
  git('config', 'core.fsmonitor', script(`touch ${trap}; exit 1`));
  const index = statSync(join(root, '.git', 'index'), { bigint: true }).mtimeNs;
  process.env.GIT_DIR = join(folder, 'elsewhere');
  try {
    expect((await facts()).branch).toEqual(known('main'));
  } finally {
    delete process.env.GIT_DIR;
  }
  expect(readdirSync(folder)).not.toContain('trap');
  expect(statSync(join(root, '.git', 'index'), { bigint: true }).mtimeNs).toBe(index);
});

test.each([
  ['https://user:token@host.test/a/b.git', 'https://host.test/a/b.git', 'b'],
  ['https://token@host.test/a/b', 'https://host.test/a/b', 'b'],
  ['https://us:p@ss@host.test/a', 'https://host.test/a', 'a'],
  ['https://host.test/a.git?private_token=x#y', 'https://host.test/a.git', 'a'],
  ['ssh://git@host.test:2222/a/b.git', 'ssh://host.test:2222/a/b.git', 'b'],
  ['git@host.test:a/b.git', 'git@host.test:a/b.git', 'b'],
  ['user:token@host.test:a/b.git', 'host.test:a/b.git', 'b'],
  [`${'t'.repeat(40)}@host.test:b.git`, 'host.test:b.git', 'b'],
  ['/srv/git/b.git/', '/srv/git/b.git/', 'b'],
  ['ext::https://u:p@host.test/c', 'ext::https://host.test/c', 'c'],
])('credentials of %s are not told (part of D16)', (remote, told, name) => {
  expect(stripCredentials(remote)).toBe(told);
  expect(nameIn(told)).toBe(name);
});
