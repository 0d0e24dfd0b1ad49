import type { FileHandle } from 'node:fs/promises';
import { readFailed } from './blob-errors.ts';

const blockBytes = 1 << 18;

/**
 * Hands out bytes `first` to `first + count - 1` of an open file, a block at a time: while one is taken, the next is read.
 * Two blocks serve for all of it, so that however much is read nothing is left to be collected; a block is the taker's only
 * until its promise resolves.
 * @throws WaybillError `file_read_failed`; what `take` rejects with
 */
export async function readBlocks(
  handle: FileHandle,
  { path, first, count }: { readonly path: string; readonly first: number; readonly count: number },
  take: (block: Uint8Array) => Promise<void>,
): Promise<void> {
  const blocks = [
    Buffer.allocUnsafeSlow(Math.min(blockBytes, count)),
    Buffer.allocUnsafeSlow(Math.min(blockBytes, count)),
  ];
  let taking: Promise<void> = Promise.resolve();
  for (let done = 0, turn = 0; done < count; turn ^= 1) {
    const block = blocks[turn] ?? Buffer.alloc(0);
    const read = await readInto(handle, path, block.subarray(0, Math.min(block.length, count - done)), first + done);
    done += read;
    await taking;
    taking = take(block.subarray(0, read));
    // Told when it is waited for, and must not count as unhandled until then.
    taking.catch(() => {});
  }
  await taking;
}

async function readInto(handle: FileHandle, path: string, block: Buffer, position: number): Promise<number> {
  let bytesRead: number;
  try {
    ({ bytesRead } = await handle.read(block, 0, block.length, position));
  } catch (error) {
    throw readFailed(path, error);
  }
  if (bytesRead === 0) throw readFailed(path, new Error('it is shorter than it was'));
  return bytesRead;
}
