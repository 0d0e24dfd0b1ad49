import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileWriteFailed } from './file-write-failed.ts';

/** Makes the names in a folder survive a power cut; the content of its files has a sync of its own. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder and the missing ones above it, 0700, durable. A folder that exists is left as it is.
 * @throws WaybillError `file_write_failed`
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    const firstMade = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (firstMade === undefined) return;
    // A new folder is only found again after a power cut when its name in its parent is durable too.
    const top = dirname(resolve(firstMade));
    for (let at = resolve(folder); at !== top; at = dirname(at)) await syncFolder(dirname(at));
  } catch (error) {
    throw fileWriteFailed(folder, error);
  }
}
