import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { fileWriteFailed, systemCode } from '../files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../files/make-folder.ts';
import { randomHex } from '../ids/make-id.ts';

const length = 32;

/**
 * The key of this workspace for the hashes of inputs: `<folder>/input-hash.key`, 32 random bytes, 0600. Made at the
 * first call; when two processes make it at once, both get the one that came first.
 * @param folder the workspace's `.waybill/keys`
 * @throws WaybillError `file_write_failed`, or `config_invalid` when the file is not a key
 */
export async function workspaceKey(folder: string): Promise<Uint8Array> {
  const path = join(folder, 'input-hash.key');
  return (await readKey(path)) ?? (await makeKey(path));
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileWriteFailed(path, error);
  }
  if (bytes.length === length) return bytes;
  throw new WaybillError('config_invalid', `${path} is not a key: it has ${bytes.length} bytes instead of ${length}`, {
    hint: 'Restore it from a backup, or delete it: hashes of inputs from before can then no longer be compared.',
  });
}

async function makeKey(path: string): Promise<Uint8Array> {
  const temporary = `${path}.${process.pid}-${randomHex(8)}`;
  const key = randomBytes(length);
  try {
    await makeFolder(dirname(path));
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(key);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link, unlike a rename, never replaces: whoever comes second takes the key of the first.
    await link(temporary, path);
    await syncFolder(dirname(path));
    return key;
  } catch (error) {
    const made = systemCode(error) === 'EEXIST' ? await readKey(path) : undefined;
    if (made !== undefined) return made;
    throw fileWriteFailed(path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}
