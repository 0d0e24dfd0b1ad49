import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomHex } from '../ids/make-id.ts';
import { fileWriteFailed, systemCode } from './file-write-failed.ts';
import { isAlive } from './is-alive.ts';
import { syncFolder } from './make-folder.ts';

/** `.waybill-tmp-<pid>-<token of the process>-<number>`: says whose it is, and that nobody else may read it. */
const shape = /^\.waybill-tmp-(\d{1,10})-([0-9a-f]{16})-\d+$/;
const token = randomHex(8);
const abandonedAfterMs = 3_600_000;
const tries = 3;
let made = 0;

/** True for the name of a file that is still being written and is not content yet. */
export function isTemporaryName(name: string): boolean {
  return shape.test(name);
}

export interface TemporaryFileOptions {
  /** Where the temporary file lies: on the file system of the final name. It must exist. */
  readonly folder: string;
  readonly mode: number;
  /** What an error names as the thing that could not be written. */
  readonly subject: string;
  /** False leaves out both syncs: still never half a file after a crash of the process, but maybe after a power cut. */
  readonly durable?: boolean;
}

/**
 * The one way a file comes into being: `write` fills a new file, which is then synced, moved to the path that
 * `write` returns, and the folder of that synced. A crash at any point leaves no file of that name (or its old
 * content), or the whole new one.
 *
 * A process in another pid namespace may take our file for an abandoned one and sweep it; then `write` is called again.
 * @throws WaybillError `file_write_failed`; a WaybillError thrown by `write` passes unchanged
 */
export async function throughTemporaryFile<T extends { readonly path: string }>(
  options: TemporaryFileOptions,
  write: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const temporary = join(options.folder, `.waybill-tmp-${process.pid}-${token}-${++made}`);
    try {
      const result = await fill(temporary, options, write);
      if (!(await moveUnlessSwept(temporary, result.path, attempt === tries))) continue;
      if (options.durable !== false) await syncFolder(dirname(result.path));
      return result;
    } catch (error) {
      // What cannot be removed now is swept at the next start; the first failure is the one worth reporting.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw fileWriteFailed(options.subject, error);
    }
  }
}

async function fill<T>(
  temporary: string,
  { mode, durable }: TemporaryFileOptions,
  write: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(temporary, 'wx', mode);
  try {
    const result = await write(handle);
    if (durable !== false) await handle.sync();
    return result;
  } finally {
    await handle.close();
  }
}

async function moveUnlessSwept(temporary: string, path: string, lastTry: boolean): Promise<boolean> {
  try {
    await rename(temporary, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && !lastTry) return false;
    throw error;
  }
}

/**
 * Removes what writers that died left behind in one folder (not below it); run at start. Files of living
 * processes stay, unless untouched for an hour, because then the pid belongs to another process by now.
 * @returns how many were removed; 0 when the folder does not exist
 * @throws WaybillError `file_write_failed`
 */
export async function sweepTemporaryFiles(folder: string): Promise<number> {
  let swept = 0;
  try {
    for (const name of await readdir(folder)) {
      const match = shape.exec(name);
      if (match === null || match[2] === token) continue;
      const path = join(folder, name);
      const writer = Number(match[1]);
      if (writer !== process.pid && isAlive(writer) && !(await isAbandoned(path))) continue;
      await rm(path, { force: true });
      swept++;
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw fileWriteFailed(folder, error);
  }
  return swept;
}

async function isAbandoned(path: string): Promise<boolean> {
  return Date.now() - (await stat(path)).mtimeMs > abandonedAfterMs;
}
