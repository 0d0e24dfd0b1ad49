import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileWriteFailed, systemCode } from './file-write-failed.ts';
import { makeFolder, syncFolder } from './make-folder.ts';

export interface AppendOptions {
  /** True (the default) waits until the text survives a power cut; false leaves that to a later append. */
  readonly sync?: boolean;
}

/**
 * Appends to a file with one writer, making it (0600) and its folders (0700) when missing. When the write fails
 * half way (a full disk) the file is cut back to what it was, so that the same text can be appended again.
 * @throws WaybillError `file_write_failed`
 */
export async function appendDurably(
  path: string,
  text: string | Uint8Array,
  options: AppendOptions = {},
): Promise<void> {
  const sync = options.sync ?? true;
  try {
    await makeFolder(dirname(path));
    const handle = await open(path, 'a', 0o600);
    try {
      const { size } = await handle.stat();
      await appendOrCutBack(handle, text, size);
      if (sync) await handle.sync();
      if (sync && size === 0) await syncFolder(dirname(path));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileWriteFailed(path, error);
  }
}

async function appendOrCutBack(handle: FileHandle, text: string | Uint8Array, size: number): Promise<void> {
  try {
    await handle.appendFile(text);
  } catch (error) {
    // If not even this works, the torn line is cut at the next start; the first failure is the one to report.
    await handle.truncate(size).catch(() => undefined);
    throw error;
  }
}

/**
 * Cuts a last line without its newline off an NDJSON file: the mark of a crash in the middle of an append.
 * Reads backwards from the end, so its cost does not grow with the file.
 * @returns the bytes cut off; 0 when the file ends well or does not exist
 * @throws WaybillError `file_write_failed`
 */
export async function cutTornLine(path: string): Promise<number> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r+');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw fileWriteFailed(path, error);
  }
  try {
    const { size } = await handle.stat();
    const end = await endOfLastLine(handle, size);
    if (end < size) {
      await handle.truncate(end);
      await handle.sync();
    }
    return size - end;
  } catch (error) {
    throw fileWriteFailed(path, error);
  } finally {
    await handle.close();
  }
}

async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(Math.min(size, 65_536));
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - block.length);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
    const newline = block.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}
