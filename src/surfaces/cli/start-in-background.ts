import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonValue } from '../../contract/json.ts';

/**
 * Starts this very program again with other arguments, in a session of its own, so that it outlives the terminal.
 * Waits for the first JSON it prints: an event of its run, or the error that kept it from making one. Afterwards
 * nobody reads what it prints, and it goes on.
 * @throws WaybillError `process_spawn_failed`
 */
export async function startInBackground(
  args: readonly string[],
): Promise<{ readonly pid: number; readonly first: JsonValue }> {
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    stdio: [args.includes('-') ? 'inherit' : 'ignore', 'pipe', 'ignore'],
  });
  const ended = Promise.withResolvers<never>();
  child.once('error', (error) => ended.reject(failed(error.message, error)));
  child.once('close', (code, signal) =>
    ended.reject(failed(`it ended with ${signal ?? `exit code ${code}`} and said nothing`)),
  );
  const lines = createInterface({ input: child.stdout });
  const first = Promise.withResolvers<JsonValue>();
  lines.on('line', (line) => {
    const document = documentOf(line);
    if (document !== undefined) first.resolve(document);
  });
  try {
    const document = await Promise.race([first.promise, ended.promise]);
    return { pid: child.pid ?? 0, first: document };
  } finally {
    ended.promise.catch(() => {});
    lines.close();
    child.stdout.destroy();
    child.unref();
  }
}

/** The object of a line; undefined for what a configuration may print on its own. */
function documentOf(line: string): JsonValue | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: JsonValue = JSON.parse(line);
    return value;
  } catch {
    return undefined;
  }
}

function failed(why: string, cause?: unknown): WaybillError {
  return new WaybillError('process_spawn_failed', `cannot work in the background: ${why}`, {
    hint: 'Leave out --no-wait to see what happens.',
    cause,
  });
}
