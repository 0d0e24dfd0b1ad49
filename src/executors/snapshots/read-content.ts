import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Digest } from '../../contract/ids.ts';
import { DigestStream, digestOf } from '../../platform/digests/digest.ts';
import { systemCode } from '../../platform/files/file-write-failed.ts';

export interface Content {
  readonly digest: Digest;
  readonly size: number;
  /** Of the very file that was read, from before its first byte was. */
  readonly stats: Stats;
}

/** `swapped`: something else lies there by now than when it was looked at. */
export type ContentAnswer = Content | 'vanished' | 'unreadable' | 'swapped';

const blockBytes = 1 << 20;
const block = Buffer.allocUnsafeSlow(blockBytes);

// Never follow a link that took the file's place, never wait for the writer of a FIFO that did.
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Reads a file that fits one block, in one synchronous go: three system calls and no promise, which for a tree of
 * small files is ten times as fast. A larger one is read in blocks with turns between, in constant memory.
 */
export async function readContent(path: string | Buffer): Promise<ContentAnswer> {
  try {
    return readSmall(path) ?? (await readLarge(path));
  } catch (error) {
    return whyNot(error);
  }
}

/** The digest of a link is that of the bytes it points to, whatever lies there. */
export function readLink(path: string | Buffer, stats: Stats): ContentAnswer {
  try {
    const target = readlinkSync(path, { encoding: 'buffer' });
    return { digest: digestOf(target), size: target.length, stats };
  } catch (error) {
    return whyNot(error);
  }
}

function readSmall(path: string | Buffer): ContentAnswer | undefined {
  const file = openSync(path, openFlags);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return 'swapped';
    if (stats.size >= blockBytes) return undefined;
    let size = 0;
    for (;;) {
      const bytes = readSync(file, block, size, blockBytes - size, null);
      size += bytes;
      if (size === blockBytes) return undefined;
      if (bytes === 0) break;
    }
    return { digest: digestOf(block.subarray(0, size)), size, stats };
  } finally {
    closeSync(file);
  }
}

async function readLarge(path: string | Buffer): Promise<ContentAnswer> {
  const file = await open(path, openFlags);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return 'swapped';
    const stream = new DigestStream();
    const own = Buffer.allocUnsafeSlow(blockBytes);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(own, 0, blockBytes, null);
      if (bytesRead === 0) return { digest: stream.finish(), size, stats };
      stream.update(own.subarray(0, bytesRead));
      size += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function whyNot(error: unknown): 'vanished' | 'unreadable' | 'swapped' {
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'vanished';
    case 'ELOOP':
    case 'EINVAL':
    case 'ENXIO':
      return 'swapped';
    case 'EACCES':
    case 'EPERM':
    case 'EIO':
      return 'unreadable';
    default:
      throw error;
  }
}
