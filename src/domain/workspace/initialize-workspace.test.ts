import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { initializeWorkspace } from './initialize-workspace.ts';
import { readTask } from './tasks/read-task.ts';

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-init-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = ['waybill.config.ts', '.waybill/.gitignore', 'waybill.tasks/T-0001.md'];

test('makes a workspace, and again changes nothing', async () => {
  expect(await initializeWorkspace(folder)).toEqual({ root: folder, created: files, kept: [] });
  expect(statSync(join(folder, '.waybill')).mode & 0o777).toBe(0o700);
  writeFileSync(join(folder, 'waybill.config.ts'), '// mine');
  rmSync(join(folder, '.waybill'), { recursive: true });
  expect(await initializeWorkspace(folder)).toEqual({
    root: folder,
    created: ['.waybill/.gitignore'],
    kept: ['waybill.config.ts', 'waybill.tasks/'],
  });
  expect(readFileSync(join(folder, 'waybill.config.ts'), 'utf8')).toBe('// mine');
  expect(readdirSync(folder).sort()).toEqual(['.waybill', 'waybill.config.ts', 'waybill.tasks']);
});

test('the example task is a valid task', async () => {
  await initializeWorkspace(folder);
  expect((await readTask({ root: folder, configurationPath: null }, 'T-0001')).goal).toContain('Describe the goal');
});

test('two at once make each file once', async () => {
  const results = await Promise.all(Array.from({ length: 8 }, () => initializeWorkspace(folder)));
  for (const file of files.slice(0, 2)) expect(results.filter(({ created }) => created.includes(file))).toHaveLength(1);
  expect(readdirSync(folder).sort()).toEqual(['.waybill', 'waybill.config.ts', 'waybill.tasks']);
});

test('R35 git sees of the data folder only its .gitignore and state.json', async () => {
  await initializeWorkspace(folder);
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });
  git('init', '-q');
  mkdirSync(join(folder, '.waybill', 'runs', 'deep'), { recursive: true });
  for (const path of ['waybill.db', 'state.json', 'runs/state.json', 'runs/deep/run.json', '.hidden']) {
    writeFileSync(join(folder, '.waybill', path), '{}');
  }
  const seen = git('ls-files', '--others', '--exclude-standard', '.waybill').trim().split('\n');
  expect(seen.sort()).toEqual(['.waybill/.gitignore', '.waybill/state.json']);
});

test.each<[string, (root: string) => void]>([
  ['waybill.config.ts', (root) => mkdirSync(join(root, 'waybill.config.ts'))],
  ['.waybill', (root) => writeFileSync(join(root, '.waybill'), '')],
  ['waybill.tasks', (root) => writeFileSync(join(root, 'waybill.tasks'), '')],
  ['.waybill', (root) => symlinkSync('/nowhere', join(root, '.waybill'))],
])('what lies in the way is named and nothing is made: %s', async (name, put) => {
  put(folder);
  await expect(initializeWorkspace(folder)).rejects.toMatchObject({
    code: 'workspace_exists',
    details: { path: join(folder, name) },
  });
  expect(readdirSync(folder)).toEqual([name]);
});

test('a folder that is not there is an error', async () => {
  await expect(initializeWorkspace(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'workspace_not_found' });
});
