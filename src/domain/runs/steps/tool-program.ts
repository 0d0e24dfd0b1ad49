import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { resolveInside } from '../../../platform/files/safe-path.ts';

/**
 * The program of a tool: a relative name is looked for in the tool's folder first; what is not there is left as it
 * is, for the PATH or, with a slash, the workspace.
 * @param root of the workspace; a link in the tool's folder may not lead out of it
 * @throws WaybillError `invalid_path` when it does
 */
export async function toolProgram(root: string, folder: string, program: string): Promise<string> {
  if (program.startsWith('/') || program.split('/').includes('..') || program === '') return program;
  const file = await resolveInside(root, join(relative(root, folder), program));
  const isThere = await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  return isThere ? file : program;
}
