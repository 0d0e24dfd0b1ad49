import { access, constants, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { resolveInside } from '../../../platform/files/safe-path.ts';
import type { Tool } from '../../runs/ports.ts';
import { toolProgram } from '../../runs/steps/tool-program.ts';
import { wordsOf } from './read-description.ts';

/**
 * Why a tool could not be started now: its program or module is not there. Looked at each time, because it may come
 * and go without a change of the description; null when nothing is in the way.
 */
export async function whyNotAvailable(root: string, tool: Tool): Promise<string | null> {
  const { command, module } = tool.description;
  try {
    if (module !== undefined) {
      const file = await resolveInside(root, join(relative(root, tool.folder), module));
      return (await isFile(file)) ? null : `there is no module ${module}`;
    }
    const program = await toolProgram(root, tool.folder, command?.[0] ?? '');
    return (await canStart(root, program))
      ? null
      : `there is no program ${JSON.stringify(program)} that can be started`;
  } catch (error) {
    return wordsOf(error);
  }
}

/** As execvp(3) looks: a name with a slash from the working folder, which is the workspace; any other on the PATH. */
async function canStart(root: string, program: string): Promise<boolean> {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin').split(':');
  for (const folder of folders) {
    const path = program.startsWith('/') ? program : join(folder.startsWith('/') ? '' : root, folder, program);
    if ((await isFile(path)) && (await mayRun(path))) return true;
  }
  return false;
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

function mayRun(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
