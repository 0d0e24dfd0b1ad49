import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { fileWriteFailed, systemCode } from '../../platform/files/file-write-failed.ts';
import { makeFolder } from '../../platform/files/make-folder.ts';
import { configurationTemplate, dataIgnore, taskTemplate } from './configuration-template.ts';
import { createFile } from './create-file.ts';
import { configurationName, dataFolderName, tasksFolderName } from './workspace.ts';

export interface Initialized {
  readonly root: string;
  /** Paths relative to the root: what was made now, and what was there already and is unchanged. */
  readonly created: readonly string[];
  readonly kept: readonly string[];
}

/**
 * Makes a folder a workspace: a commented `waybill.config.ts`, `.waybill/` (0700) with a `.gitignore` that lets
 * only `state.json` through, and `waybill.tasks/` with an example. Never overwrites; again is harmless.
 * @throws WaybillError `workspace_not_found` (no such folder), `workspace_exists` (something that is not ours has a
 * name we need), `file_write_failed`
 */
export async function initializeWorkspace(root: string): Promise<Initialized> {
  if ((await kindOf(root)) !== 'folder') {
    throw new WaybillError('workspace_not_found', `there is no folder ${root}`, {
      hint: 'Make it first.',
      details: { root },
    });
  }
  const created: string[] = [];
  const kept: string[] = [];
  const tasks = join(root, tasksFolderName);
  await needKind(join(root, dataFolderName), 'folder');
  await needKind(join(root, configurationName), 'file');
  await needKind(tasks, 'folder');

  await makeFolder(join(root, dataFolderName));
  const firstTask = await makeTasksFolder(tasks);
  const files: readonly (readonly [path: string, content: string])[] = [
    [configurationName, configurationTemplate],
    [`${dataFolderName}/.gitignore`, dataIgnore],
    ...(firstTask ? ([[`${tasksFolderName}/T-0001.md`, taskTemplate]] as const) : []),
  ];
  for (const [path, content] of files) {
    if (await createFile(join(root, path), content)) created.push(path);
    else kept.push(path);
  }
  if (!firstTask) kept.push(`${tasksFolderName}/`);
  return { root, created, kept };
}

/** True when the folder holds no task yet, and so gets the example. */
async function makeTasksFolder(path: string): Promise<boolean> {
  try {
    // For people to edit and commit, so with the usual permissions, unlike the data.
    await mkdir(path, { recursive: true });
    return !(await readdir(path)).some((name) => name.endsWith('.md'));
  } catch (error) {
    throw fileWriteFailed(path, error);
  }
}

async function needKind(path: string, wanted: 'file' | 'folder'): Promise<void> {
  const kind = await kindOf(path);
  if (kind === wanted || kind === 'nothing') return;
  throw new WaybillError('workspace_exists', `${path} exists and is not a ${wanted}`, {
    hint: 'Move it away and run `waybill init` again.',
    details: { path },
  });
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | 'nothing'> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'nothing';
    throw fileWriteFailed(path, error);
  }
}
