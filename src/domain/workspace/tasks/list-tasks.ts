import { WaybillError } from '../../../contract/errors.ts';
import type { Workspace } from '../workspace.ts';
import type { Task } from './parse-task.ts';
import { readTask, taskFiles, taskPath } from './read-task.ts';

/** A file of the tasks folder: a task, or what keeps it from being one. */
export type ListedTask =
  | { readonly path: string; readonly task: Task; readonly problem?: never }
  | { readonly path: string; readonly task?: never; readonly problem: WaybillError };

/**
 * All tasks, ordered by id; a file that is not a valid task is listed with its problem, never left out.
 * @throws WaybillError `task_invalid` when the folder cannot be read
 */
export async function listTasks(workspace: Workspace): Promise<ListedTask[]> {
  const { ids, others } = await taskFiles(workspace);
  const listed: ListedTask[] = [];
  for (const id of ids) {
    try {
      listed.push({ path: taskPath(id), task: await readTask(workspace, id) });
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      listed.push({ path: taskPath(id), problem: error });
    }
  }
  for (const path of others) {
    const problem = new WaybillError('task_invalid', `${path} is not a valid task: its name is not a task id`, {
      hint: 'A task id has letters, digits, ".", "_" and "-", 128 at most.',
      details: { path },
    });
    listed.push({ path, problem });
  }
  return listed;
}
