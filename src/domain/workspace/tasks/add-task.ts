import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type TaskId } from '../../../contract/ids.ts';
import { fileWriteFailed } from '../../../platform/files/file-write-failed.ts';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import { createFile } from '../create-file.ts';
import { tasksFolder, tasksFolderName, type Workspace } from '../workspace.ts';
import { parseTask, type Task } from './parse-task.ts';
import { taskFiles, taskPath } from './read-task.ts';

export interface NewTask {
  /** Unless given, the next free `T-0001`, `T-0002` ... */
  readonly id?: string;
  readonly title: string;
  readonly goal: string;
  readonly expectedOutputs?: readonly string[];
  /** Commands that must succeed, each as a person types it to a shell. */
  readonly commands?: readonly string[];
}

/**
 * Writes a new task file; what it writes has passed the same schema as what a person writes.
 * @throws WaybillError `invalid_id`, `task_exists`, `task_invalid`, `file_write_failed`
 */
export async function addTask(workspace: Workspace, task: NewTask): Promise<Task> {
  const folder = tasksFolder(workspace);
  await resolveInside(workspace.root, tasksFolderName);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileWriteFailed(folder, error);
  }
  const given = task.id === undefined ? undefined : parseId('task', task.id);
  for (;;) {
    const id = given ?? (await nextId(workspace));
    const text = textOf(task);
    const parsed = parseTask(id, taskPath(id), text);
    if (await createFile(join(folder, `${id}.md`), text)) return parsed;
    if (given === undefined) continue; // another process took the number
    throw new WaybillError('task_exists', `the task ${id} exists already (${taskPath(id)})`, {
      hint: 'Edit that file, or choose another id.',
      details: { task: id },
    });
  }
}

async function nextId(workspace: Workspace): Promise<TaskId> {
  const { ids } = await taskFiles(workspace);
  const numbers = ids.map((id) => Number(/^T-(\d{1,9})$/.exec(id)?.[1] ?? 0));
  return parseId('task', `T-${String(Math.max(0, ...numbers) + 1).padStart(4, '0')}`);
}

function textOf({ title, goal, expectedOutputs = [], commands = [] }: NewTask): string {
  const checks = commands.map((command, index) => ({
    kind: 'command',
    name: `check-${index + 1}`,
    command: ['sh', '-c', command],
  }));
  return `---\n${stringify({ title, expectedOutputs, checks })}---\n${goal.trim()}\n`;
}
