import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { fileWriteFailed, systemCode } from '../files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../files/make-folder.ts';
import type { ExpectedBytes, ReceivedBlob, StagedUpload, StagedUploads } from './blob-store.ts';
import { changedAt, nothingThere } from './folder-trash.ts';
import { holdFile } from './held-file.ts';
import { WatchedSource } from './watched-source.ts';
import { assertNotOver, ExpectedStream, writeStream } from './write-stream.ts';

const idShape = /^[A-Za-z0-9_-]{1,128}$/;
/** Two blocks are in memory: one is read while the other is digested. */
const blockBytes = 1 << 20;

/** What is done to an upload in this process, and how to end it. */
interface Working {
  readonly end: () => void;
  readonly ended: Promise<unknown>;
}

/**
 * Staged uploads as files `<folder>/<id>`.
 * @param adopt moves a file that is complete, digested and synced to its place among the blobs
 */
export function createStagedFolder(
  folder: string,
  adopt: (path: string, received: ReceivedBlob) => Promise<void>,
): StagedUploads {
  const working = new Map<string, Working>();

  function pathOf(id: string): string {
    if (idShape.test(id)) return join(folder, id);
    throw new WaybillError('invalid_id', `not the id of an upload: ${JSON.stringify(id).slice(0, 160)}`);
  }

  /** One at a time in this process, by this list; one among all processes, by a file. */
  async function alone<T>(id: string, work: (path: string) => Promise<T>, source?: WatchedSource): Promise<T> {
    const path = pathOf(id);
    const before = working.get(id);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const mine: Working = { end: () => source?.end(takenOver()), ended };
    working.set(id, mine);
    try {
      before?.end();
      await before?.ended;
      await makeFolder(folder);
      await using _held = await holdFile(path);
      return await work(path);
    } catch (error) {
      throw source?.failure ? source.failure.error : fileWriteFailed(path, error);
    } finally {
      if (working.get(id) === mine) working.delete(id);
      end();
    }
  }

  async function staged(id: string): Promise<StagedUpload | null> {
    const found = await stat(pathOf(id)).catch(nothingThere);
    return found === null ? null : { id, size: found.size, changedAt: changedAt(found) };
  }

  return {
    stat: staged,
    append: (id, offset, given, limits = {}) => {
      const source = new WatchedSource(given);
      return alone(
        id,
        async (path) => {
          await using handle = await openToAppend(path);
          const { size } = await handle.stat();
          if (size !== offset) throw offsetMismatch(offset, size);
          let total = size;
          const look = (chunk: Uint8Array) => {
            total += chunk.length;
            assertNotOver(total, limits);
          };
          try {
            await writeStream(handle, source, { position: size, look });
          } catch (error) {
            // On a full disk these bytes would keep everybody from writing, and the upload from being discarded.
            if (isNoRoom(error) || (error instanceof WaybillError && isOver(error))) await handle.truncate(size);
            throw error;
          } finally {
            await handle.sync();
            if (size === 0) await syncFolder(folder);
          }
          return total;
        },
        source,
      );
    },
    finish: (id, expected = {}) =>
      alone(id, async (path) => {
        // Nothing is made that would be refused.
        if ((await stat(path).catch(nothingThere)) === null) new ExpectedStream(expected).finish();
        await using handle = await openToAppend(path);
        const received = await digestFile(handle, expected);
        const now = new Date();
        await handle.utimes(now, now);
        await handle.sync();
        await adopt(path, received);
        return received;
      }),
    discard: (id) =>
      alone(id, async (path) => {
        const found = await stat(path).catch(nothingThere);
        if (found === null) return false;
        await rm(path, { force: true });
        await syncFolder(folder);
        return true;
      }),
    async *list() {
      const names = (await readdir(folder).catch(nothingThere)) ?? [];
      for (const name of names) {
        const found = idShape.test(name) ? await staged(name) : null;
        if (found !== null) yield found;
      }
    },
  };
}

/** Made when it is not there; never cut. */
async function openToAppend(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw fileWriteFailed(path, error);
  }
}

async function digestFile(handle: FileHandle, expected: ExpectedBytes): Promise<ReceivedBlob> {
  const stream = new ExpectedStream(expected);
  let reading = readBlock(handle, 0);
  let position = 0;
  for (;;) {
    const block = await reading;
    if (block.length === 0) return stream.finish();
    position += block.length;
    reading = readBlock(handle, position);
    // When the bytes are refused, nobody waits for what is read ahead.
    reading.catch(() => {});
    stream.look(block);
  }
}

async function readBlock(handle: FileHandle, position: number): Promise<Buffer> {
  const block = Buffer.allocUnsafeSlow(blockBytes);
  const { bytesRead } = await handle.read(block, 0, block.length, position);
  return block.subarray(0, bytesRead);
}

function takenOver(): WaybillError {
  return new WaybillError('lease_held', 'somebody else goes on with this upload', {
    hint: 'Ask where it ends now, and go on from there.',
  });
}

function offsetMismatch(given: number, offset: number): WaybillError {
  return new WaybillError(
    'upload_offset_mismatch',
    `the upload has ${offset} bytes, so none can be added at ${given}`,
    {
      hint: 'Go on from where it ends.',
      details: { offset, problems: [{ path: 'headers.upload-offset', message: `is ${given}, expected ${offset}` }] },
    },
  );
}

const isNoRoom = (error: unknown) => ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(error) ?? '');
const isOver = ({ code }: WaybillError) => code === 'body_too_large' || code === 'size_mismatch';
