import { dirname } from 'node:path';
import { makeFolder } from './make-folder.ts';
import { throughTemporaryFile } from './temporary-file.ts';

export { sweepTemporaryFiles } from './temporary-file.ts';

export interface WriteOptions {
  /** Permission bits of a new file; 0600 unless said otherwise. */
  readonly mode?: number;
}

/**
 * Writes a whole file so that a crash, a kill or a power cut leaves the old content or the new, never a mix:
 * temporary file in the same folder, fsync, rename, fsync of the folder. Missing folders are made, 0700. When the
 * promise resolves the content is durable.
 * @throws WaybillError `file_write_failed`, with `details.systemCode` (`ENOSPC`, `EROFS` ...); the old file is untouched
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  await throughTemporaryFile({ folder, mode: options.mode ?? 0o600, subject: path }, async (handle) => {
    await handle.writeFile(content);
    return { path };
  });
}
