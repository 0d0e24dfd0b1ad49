import { access, constants, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import type { ProcessSpec } from '../../domain/runs/ports.ts';

/** Where a shell looks when there is no PATH at all. */
const pathWithoutPath = '/usr/local/bin:/usr/bin:/bin';

/**
 * Checks that a program can be started before anything is: a shell's exit 127 could be the program's own.
 * Looks as execvp(3) does: a name with a slash from `cwd`, any other on the PATH of `env`. Resolves with the file.
 * @throws WaybillError `process_spawn_failed`, naming argv[0] and never its arguments.
 */
export async function resolveProgram(spec: Pick<ProcessSpec, 'argv' | 'cwd' | 'env'>): Promise<string> {
  const [program] = spec.argv;
  const refuse = (why: string, hint: string): WaybillError =>
    new WaybillError('process_spawn_failed', `cannot start ${JSON.stringify(program)}: ${why}`, {
      hint,
      details: { program, retryable: false },
    });
  // stat fails when there is nothing there: exactly what is asked.
  const isFolder = (path: string): Promise<boolean> =>
    stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
  if ([...spec.argv, spec.cwd].some((text) => text.includes('\0'))) {
    throw refuse('a NUL character in its arguments', 'Take the NUL character out; no program can receive one.');
  }
  if (!(await isFolder(spec.cwd))) {
    throw refuse(`its working folder ${spec.cwd} is not a folder`, 'Create the folder, or correct the path.');
  }
  if (program === '') throw refuse('the name is empty', 'Name the program to run.');
  const candidates = program.includes('/')
    ? [resolve(spec.cwd, program)]
    : (spec.env.PATH ?? pathWithoutPath)
        .split(':')
        .map((folder) => join(isAbsolute(folder) ? folder : resolve(spec.cwd, folder), program));
  let found = false;
  for (const path of candidates) {
    const file = await stat(path).catch(() => undefined);
    if (file === undefined) continue;
    found = true;
    if (
      file.isFile() &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  if (found) throw refuse('it is not an executable file', `Make it executable: chmod +x ${program}`);
  throw program.includes('/')
    ? refuse('there is no such file', 'Correct the path; it is looked up from the working folder.')
    : refuse('it is not on the PATH it would get', 'Install it, correct the name, or give its full path.');
}
