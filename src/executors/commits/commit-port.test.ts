import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock/clock.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { createSnapshotPort } from '../snapshots/snapshot-port.ts';
import { createCommitPort } from './commit-port.ts';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function checkout(): Promise<{ readonly root: string; readonly git: (...args: string[]) => string }> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-commits-'));
  folders.push(folder);
  const root = join(folder, 'repo');
  await mkdir(join(root, 'sub'), { recursive: true });
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.invalid'];
  const git = (...args: string[]) =>
    execFileSync('git', [...identity, ...args], { cwd: root, encoding: 'utf8' }).trim();
  git('init', '-q', '-b', 'main');
  return { root, git };
}

const commits = createCommitPort();

test('G25 a commit’s files are listed as a snapshot of its clean checkout lists them: links, modes, names, sizes', async () => {
  const { root, git } = await checkout();
  await writeFile(join(root, 'a file with spaces.txt'), 'hello\n');
  await writeFile(join(root, 'sub', 'empty'), '');
  await writeFile(join(root, 'sub', 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(root, 'large.bin'), Buffer.alloc(700_000, 7));
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff, 0x67])]), 'no UTF-8 in this name');
  await writeFile(join(root, 'two\nlines'), 'odd');
  await symlink('sub/run.sh', join(root, 'link'));
  git('add', '-A');
  git('commit', '-q', '-m', 'All kinds');
  const commit = git('rev-parse', 'HEAD');
  const snapshots = createSnapshotPort({ cacheFile: join(root, '..', 'cache'), clock: systemClock });
  const { files } = await snapshots.capture({ root, include: [], exclude: [] });
  const answer = await commits.tree(root, commit);
  if (answer.outcome !== 'found') throw new Error(answer.outcome);
  const byPath = (a: { readonly path: string }, b: { readonly path: string }) => (a.path < b.path ? -1 : 1);
  expect(answer.tree.files.toSorted(byPath)).toEqual(files.toSorted(byPath));
  expect(answer.tree.files).toHaveLength(7);
  // A workspace may be a folder of its checkout.
  const below = await commits.tree(join(root, 'sub'), commit);
  expect(below).toMatchObject({
    outcome: 'found',
    tree: { files: [{ path: 'empty' }, { path: 'run.sh', kind: 'executable' }] },
  });
});

test('G25 what cannot be known of a commit is said: no checkout, no git, a shallow clone; and one that is not there', async () => {
  const { root, git } = await checkout();
  for (const message of ['one', 'two']) git('commit', '-q', '--allow-empty', '-m', message);
  const first = git('rev-parse', 'HEAD~1');
  const never = 'f'.repeat(40);
  expect(await commits.tree(root, never)).toEqual({ outcome: 'missing' });
  expect(await commits.tree(root, first)).toMatchObject({ outcome: 'found', tree: { files: [] } });
  const shallow = join(root, '..', 'shallow');
  git('clone', '-q', '--depth', '1', `file://${root}`, shallow);
  expect(await commits.tree(shallow, first)).toMatchObject({
    outcome: 'unknown',
    reason: expect.stringContaining('shallow'),
  });
  const nowhere = join(root, '..');
  expect(await commits.tree(nowhere, first)).toMatchObject({
    outcome: 'unknown',
    reason: 'there is no git checkout here',
  });
  const without = createCommitPort({ command: 'no-such-git-program' });
  expect(await without.tree(root, first)).toMatchObject({ outcome: 'unknown', reason: 'git is not installed' });
});

test('G25 other forms of a file are known: line ends, pointers of git-lfs, and that a filter changes it', async () => {
  const { root, git } = await checkout();
  const oid = digestOf('the real bytes').slice('sha256:'.length);
  await writeFile(join(root, 'text.txt'), 'one\ntwo\n');
  await writeFile(join(root, 'big.psd'), `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 14\n`);
  await writeFile(join(root, 'secret.key'), 'clean\n');
  await writeFile(join(root, '.gitattributes'), '*.key filter=vault\n');
  await writeFile(join(root, '.gitignore'), 'dist/\n');
  git('add', '-A');
  git('commit', '-q', '-m', 'Files that look otherwise on disk');
  const commit = git('rev-parse', 'HEAD');
  const forms = await commits.otherForms(root, commit, ['text.txt', 'big.psd', 'secret.key']);
  expect(forms.get('text.txt')).toContain(digestOf('one\r\ntwo\r\n'));
  expect(forms.get('big.psd')).toContain(digestOf('the real bytes'));
  expect(forms.get('secret.key')).toBeNull();
  expect([...(await commits.ignored(root, ['dist/a.js', 'text.txt', 'new.txt']))]).toEqual(['dist/a.js']);
});

test('G25 only the name of an object names a commit: not a branch, not a short name, not an option', async () => {
  const { root, git } = await checkout();
  git('commit', '-q', '--allow-empty', '-m', 'One');
  const commit = git('rev-parse', 'HEAD');
  expect(await commits.tree(root, commit)).toMatchObject({ outcome: 'found' });
  for (const other of ['HEAD', 'main', commit.slice(0, 12), `${commit}~0`, '--help', '']) {
    expect(await commits.tree(root, other), other).toEqual({ outcome: 'missing' });
  }
});
