import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rename, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../contract/ids.ts';
import { DigestStream, digestOf, hexOf, ownDigest, parseDigest } from '../digests/digest.ts';
import { fileWriteFailed, systemCode } from '../files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../files/make-folder.ts';
import { sweepTemporaryFiles, throughTemporaryFile } from '../files/temporary-file.ts';
import { corrupt, missing, readFailed } from './blob-errors.ts';
import type { BlobStore, ExpectedBytes, ReceivedBlob, StoredBlob } from './blob-store.ts';
import { BlobStream } from './blob-stream.ts';
import { changedAt, findInTrash, removeUntouched, sweepTrash } from './folder-trash.ts';
import { sweepHeld } from './held-file.ts';
import { readBlocks } from './read-blocks.ts';
import { createStagedFolder } from './staged-folder.ts';
import { WatchedSource } from './watched-source.ts';
import { ExpectedStream, writeStream } from './write-stream.ts';

const blockBytes = 1 << 18;

/** A blob store in a folder: `<folder>/sha256/ab/<64 hex>`, and `<folder>/uploads/<id>` for what is staged. */
export function createFolderBlobs(folder: string): BlobStore {
  const base = join(folder, 'sha256');
  const uploads = join(folder, 'uploads');
  const pathOfHex = (hex: string) => join(base, hex.slice(0, 2), hex);
  const pathOf = (digest: Digest) => pathOfHex(hexOf(parseDigest(digest)));
  const temporary = (subject: string) => ({ folder: base, mode: 0o600, subject });

  async function put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    const path = pathOf(digest);
    // Touched before it is read: what a collector takes away later, it sees to be touched, and what it took away before is
    // not there to be read.
    if ((await touch(digest)) !== null && (await holds(path, digest, bytes.length))) {
      // Another process may have renamed it a moment ago and not yet synced the folder.
      await syncFolder(dirname(path));
      return digest;
    }
    await makeFolder(dirname(path));
    await throughTemporaryFile(temporary(path), async (handle) => {
      await handle.writeFile(bytes);
      return { path };
    });
    return digest;
  }

  async function putFile(source: string): Promise<ReceivedBlob> {
    await makeFolder(base);
    const { digest, size } = await throughTemporaryFile(temporary(`a copy of ${source}`), async (handle) => {
      const copied = await copyInto(handle, source);
      const path = pathOf(copied.digest);
      await makeFolder(dirname(path));
      return { ...copied, path };
    });
    return { digest, size };
  }

  async function receive(given: AsyncIterable<Uint8Array>, expected: ExpectedBytes = {}): Promise<ReceivedBlob> {
    await makeFolder(base);
    const source = new WatchedSource(given);
    let begun = false;
    try {
      const { digest, size } = await throughTemporaryFile(temporary('a blob that is received'), async (handle) => {
        if (begun) throw new Error('the file it was written to was taken away');
        begun = true;
        const stream = new ExpectedStream(expected);
        await writeStream(handle, source, { position: 0, look: stream.look });
        const received = stream.finish();
        const path = pathOf(received.digest);
        await makeFolder(dirname(path));
        return { ...received, path };
      });
      return { digest, size };
    } catch (error) {
      throw source.failure === null ? error : source.failure.error;
    }
  }

  async function touch(digest: Digest): Promise<StoredBlob | null> {
    const path = pathOf(digest);
    const now = new Date();
    try {
      await utimes(path, now, now);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw fileWriteFailed(path, error);
    }
    // Moved away between the look-up and the change of its time, it is as good as gone: see `removeUntouched`.
    return storedAt(path, digest);
  }

  /** A collector that only looks at it holds it for a moment under another name; several may, one after the other. */
  async function openStored(digest: Digest): Promise<{ readonly handle: FileHandle; readonly path: string }> {
    const path = pathOf(digest);
    for (let looks = 0; looks < 4; looks++) {
      const handle = await openRegularFile(path);
      if (handle !== null) return { handle, path };
      const trash = await findInTrash(base, digest);
      const held = trash === null ? null : await openRegularFile(trash);
      if (held !== null) return { handle: held, path };
    }
    throw missing(digest);
  }

  return {
    put,
    putFile,
    receive,
    async get(digest) {
      const { handle, path } = await openStored(digest);
      await using _open = handle;
      const bytes = await handle.readFile().catch((error: unknown) => {
        throw readFailed(path, error);
      });
      if (digestOf(bytes) !== digest) throw corrupt(digest, path);
      return bytes;
    },
    async open(digest) {
      const { handle, path } = await openStored(digest);
      const { size } = await handle.stat();
      return {
        size,
        stream: ({ first, last } = { first: 0, last: size - 1 }) =>
          new BlobStream(handle, { path, first, count: last - first + 1 }),
        blocks: (take, { first, last } = { first: 0, last: size - 1 }) =>
          readBlocks(handle, { path, first, count: last - first + 1 }, take),
        [Symbol.asyncDispose]: () => handle.close(),
      };
    },
    async has(digest) {
      return (await sizeOf(pathOf(digest))) !== undefined;
    },
    async stat(digest) {
      return storedAt(pathOf(digest), digest);
    },
    touch,
    async remove(digest, { untouchedSince }) {
      const path = pathOf(digest);
      try {
        return await removeUntouched(base, path, digest, untouchedSince);
      } catch (error) {
        throw fileWriteFailed(path, error);
      }
    },
    async *list() {
      for (const shelf of await namesIn(base)) {
        if (!/^[0-9a-f]{2}$/.test(shelf)) continue;
        for (const name of await namesIn(join(base, shelf))) {
          if (!/^[0-9a-f]{64}$/.test(name)) continue;
          const stored = await storedAt(join(base, shelf, name), ownDigest(name));
          if (stored !== null) yield stored;
        }
      }
    },
    async sweep() {
      const swept = [sweepTemporaryFiles(base), sweepTrash(base, pathOfHex), sweepHeld(uploads)];
      return (await Promise.all(swept)).reduce((sum, count) => sum + count, 0);
    },
    staged: createStagedFolder(uploads, async (path, { digest }) => {
      const place = pathOf(digest);
      await makeFolder(dirname(place));
      await rename(path, place);
      await syncFolder(dirname(place));
      await syncFolder(uploads);
    }),
  };
}

async function storedAt(path: string, digest: Digest): Promise<StoredBlob | null> {
  try {
    const found = await stat(path);
    return { digest, size: found.size, storedAt: changedAt(found) };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw readFailed(path, error);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw readFailed(folder, error);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw readFailed(path, error);
  }
}

async function holds(path: string, digest: Digest, size: number): Promise<boolean> {
  if ((await sizeOf(path)) !== size) return false;
  try {
    return digestOf(await readFile(path)) === digest;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw readFailed(path, error);
  }
}

async function copyInto(target: FileHandle, source: string): Promise<ReceivedBlob> {
  const from = await openRegularFile(source);
  if (from === null) throw readFailed(source, new Error('there is no such file'));
  try {
    const block = Buffer.allocUnsafe(blockBytes);
    const stream = new DigestStream();
    let size = 0;
    for (;;) {
      const bytesRead = await readBlock(from, block, source);
      if (bytesRead === 0) return { digest: stream.finish(), size };
      const chunk = block.subarray(0, bytesRead);
      stream.update(chunk);
      await target.writeFile(chunk);
      size += bytesRead;
    }
  } finally {
    await from.close();
  }
}

async function readBlock(from: FileHandle, block: Buffer, source: string): Promise<number> {
  try {
    return (await from.read(block, 0, block.length, null)).bytesRead;
  } catch (error) {
    throw readFailed(source, error);
  }
}

/**
 * Null when there is none. Without O_NONBLOCK the open of a FIFO would wait for a writer for ever.
 * @throws WaybillError `file_read_failed`
 */
async function openRegularFile(path: string): Promise<FileHandle | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw readFailed(path, error);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw readFailed(path, new Error('not a regular file'));
}
