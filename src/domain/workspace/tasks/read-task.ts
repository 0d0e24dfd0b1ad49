import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import { isId, parseId, type TaskId } from '../../../contract/ids.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import { nearest } from '../../../platform/nearest/nearest.ts';
import { tasksFolder, tasksFolderName, type Workspace } from '../workspace.ts';
import { parseTask, type Task } from './parse-task.ts';

const largest = 1_048_576;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Where a task's file lies, relative to the workspace. */
export function taskPath(id: TaskId): string {
  return `${tasksFolderName}/${id}.md`;
}

/**
 * One task of the workspace.
 * @throws WaybillError `invalid_id`; `task_not_found`, naming the nearest; `task_invalid`; `invalid_path` when its
 * file is a link that leads out of the workspace
 */
export async function readTask(workspace: Workspace, id: string): Promise<Task> {
  const taskId = parseId('task', id);
  const path = taskPath(taskId);
  const bytes = await readWhole(workspace, path);
  if (bytes === undefined) throw await notFound(workspace, taskId);
  return parseTask(taskId, path, textOf(path, bytes));
}

async function readWhole(workspace: Workspace, path: string): Promise<Uint8Array | undefined> {
  const real = await resolveInside(workspace.root, path);
  try {
    const handle = await open(real, 'r');
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw unusable(path, 'it is not a file');
      if (stats.size > largest)
        throw unusable(path, `it is larger than ${largest} bytes; put what is large into files of its own`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (error instanceof WaybillError) throw error;
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function textOf(path: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw unusable(path, 'it is not UTF-8 text', error);
  }
}

function unusable(path: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError('task_invalid', `${path} is not a valid task: ${why}`, { details: { path }, cause });
}

/** Names of the files in the tasks folder, sorted; the ids of those that can be tasks. */
export async function taskFiles(
  workspace: Workspace,
): Promise<{ readonly ids: readonly TaskId[]; readonly others: readonly string[] }> {
  let names: string[];
  try {
    names = await readdir(tasksFolder(workspace));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { ids: [], others: [] };
    throw unusable(tasksFolderName, error instanceof Error ? error.message : String(error), error);
  }
  const markdown = names.filter((name) => name.endsWith('.md') && !name.startsWith('.')).sort();
  const ids = markdown.map((name) => name.slice(0, -'.md'.length));
  return {
    ids: ids.filter((id): id is TaskId => isId('task', id)),
    others: ids.filter((id) => !isId('task', id)).map((id) => join(tasksFolderName, `${id}.md`)),
  };
}

async function notFound(workspace: Workspace, id: TaskId): Promise<WaybillError> {
  const { ids } = await taskFiles(workspace);
  const near = nearest(id, ids);
  const list = 'See them all with `waybill tasks list`.';
  const hint =
    near === undefined
      ? ids.length === 0
        ? `There are no tasks yet: \`waybill tasks add ${id} --title TEXT --goal TEXT\`.`
        : list
      : `Did you mean ${near}? ${list}`;
  return new WaybillError('task_not_found', `there is no task ${id} (${taskPath(id)})`, {
    hint,
    details: { task: id, nearest: near ?? null },
  });
}
