import { spawn } from 'node:child_process';
import { WaybillError } from '../../contract/errors.ts';

/**
 * Starts this very program again with other arguments, in a session of its own, so that it outlives the terminal.
 * @throws WaybillError `process_spawn_failed`
 */
export function startInBackground(args: readonly string[]): Promise<{ readonly pid: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly pid: number }>();
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], { detached: true, stdio: 'ignore' });
  child.once('error', (cause) =>
    reject(
      new WaybillError('process_spawn_failed', `cannot start a process in the background: ${cause.message}`, {
        hint: 'Do the work here: leave out --no-wait.',
        cause,
      }),
    ),
  );
  child.once('spawn', () => {
    child.unref();
    resolve({ pid: child.pid ?? 0 });
  });
  return promise;
}
