import { link, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileWriteFailed, systemCode } from '../../platform/files/file-write-failed.ts';
import { syncFolder } from '../../platform/files/make-folder.ts';
import { randomHex } from '../../platform/ids/make-id.ts';

/**
 * Makes a file a person will edit (0644), whole or not at all, and never over an existing one, even when two
 * processes try at once: `link` refuses an existing name, `rename` would replace it.
 * @returns false when something of that name exists already; it is left as it is
 * @throws WaybillError `file_write_failed`
 */
export async function createFile(path: string, content: string): Promise<boolean> {
  const folder = dirname(path);
  const temporary = join(folder, `.waybill-new-${randomHex(8)}`);
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, path);
    await syncFolder(folder);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw fileWriteFailed(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}
