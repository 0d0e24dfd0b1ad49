import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findWorkspace } from './find-workspace.ts';

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-find-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the nearest folder with a configuration is the workspace, from any depth', async () => {
  mkdirSync(join(folder, 'inner', 'deep', 'deeper'), { recursive: true });
  writeFileSync(join(folder, 'waybill.config.ts'), '');
  writeFileSync(join(folder, 'inner', 'waybill.config.ts'), '');
  const inner = { root: join(folder, 'inner'), configurationPath: join(folder, 'inner', 'waybill.config.ts') };
  expect(await findWorkspace(join(folder, 'inner', 'deep', 'deeper'))).toEqual(inner);
  expect(await findWorkspace(join(folder, 'inner'))).toEqual(inner);
  expect((await findWorkspace(folder)).root).toBe(folder);
});

test('a data folder alone makes a workspace, with no configuration', async () => {
  mkdirSync(join(folder, '.waybill', 'runs'), { recursive: true });
  expect(await findWorkspace(join(folder, '.waybill', 'runs'))).toEqual({ root: folder, configurationPath: null });
});

test('a workspace reached through a link has its real root', async () => {
  mkdirSync(join(folder, 'real'));
  writeFileSync(join(folder, 'real', 'waybill.config.ts'), '');
  symlinkSync(join(folder, 'real'), join(folder, 'link'));
  expect((await findWorkspace(join(folder, 'link'))).root).toBe(join(folder, 'real'));
});

test('a file named .waybill makes no workspace; what is missing is said', async () => {
  writeFileSync(join(folder, '.waybill'), '');
  await expect(findWorkspace(folder)).rejects.toMatchObject({
    code: 'workspace_not_found',
    exitCode: 2,
    hint: expect.stringContaining('waybill init'),
  });
  await expect(findWorkspace(join(folder, 'nowhere'))).rejects.toMatchObject({
    code: 'workspace_not_found',
    message: expect.stringContaining('nowhere'),
  });
  await expect(findWorkspace(join(folder, '.waybill'))).rejects.toMatchObject({ code: 'workspace_not_found' });
});

test('a configuration that is a folder is an error, never skipped', async () => {
  mkdirSync(join(folder, 'inner', 'waybill.config.ts'), { recursive: true });
  writeFileSync(join(folder, 'waybill.config.ts'), '');
  await expect(findWorkspace(join(folder, 'inner'))).rejects.toMatchObject({ code: 'config_invalid' });
});

test('a folder that cannot be looked at is an error with its path', async () => {
  const path = join(folder, 'x'.repeat(300));
  await expect(findWorkspace(path)).rejects.toMatchObject({
    code: 'workspace_not_found',
    details: { path, systemCode: 'ENAMETOOLONG' },
  });
});
