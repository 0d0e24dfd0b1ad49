import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { WaybillError } from '../../../contract/errors.ts';
import { systemCode } from '../../../platform/files/file-write-failed.ts';
import { Broken } from './broken-link.ts';

/** Longer than any line a ledger can hold: a file without newlines shall not fill the memory. */
const longestLine = 64 << 20;

/** The bytes of a file. @throws WaybillError `file_read_failed` */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw readFailed(path, error);
  }
}

/** The text of a regular file. @throws WaybillError `file_read_failed`; Broken when it is not UTF-8 */
export async function readText(path: string, where: string): Promise<string> {
  try {
    await using file = await openRegular(path, where);
    return decode(await file.readFile(), where);
  } catch (error) {
    throw error instanceof Broken ? error : readFailed(path, error);
  }
}

/** Evidence comes from elsewhere: a FIFO in its folder would never end, and not even open. */
async function openRegular(path: string, where: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Broken('format', where, 'a regular file', 'something else');
}

/** Text of bytes that are UTF-8 to the last one. @throws TypeError when they are not */
export function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Like `readText`; undefined when there is no such file. */
export async function readTextIfThere(path: string, where: string): Promise<string | undefined> {
  try {
    return await readText(path, where);
  } catch (error) {
    if (error instanceof WaybillError && error.details?.systemCode === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The lines of a regular file, each without its newline, exactly as they are: no other byte counts as a line's end.
 * @throws WaybillError `file_read_failed`; Broken when a line is not UTF-8, endless, or the last has no newline
 */
export async function* readLines(path: string, nameOf: (line: number) => string): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let count = 0;
  try {
    await using file = await openRegular(path, nameOf(1));
    for await (const chunk of file.createReadStream({ highWaterMark: 1 << 18, autoClose: false })) {
      const bytes: Buffer = chunk;
      let start = 0;
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
        count += 1;
        yield decode(Buffer.concat([...rest, bytes.subarray(start, end)]), nameOf(count));
        rest = [];
        restBytes = 0;
        start = end + 1;
      }
      if (start < bytes.length) rest.push(bytes.subarray(start));
      restBytes += bytes.length - start;
      if (restBytes > longestLine)
        throw new Broken('format', nameOf(count + 1), 'a newline', `${restBytes} bytes without one`);
    }
  } catch (error) {
    if (error instanceof Broken || systemCode(error) === undefined) throw error;
    throw readFailed(path, error);
  }
  if (restBytes > 0) throw new Broken('format', nameOf(count + 1), 'a newline', 'the end of the file');
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw new Broken('format', where, 'UTF-8', 'other bytes');
  }
}

function readFailed(path: string, cause: unknown): WaybillError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WaybillError('file_read_failed', `cannot read ${path}: ${reason}`, {
    hint: 'Check that the path is right and that this user may read it.',
    details: { path, systemCode: systemCode(cause) ?? null },
    cause,
  });
}
