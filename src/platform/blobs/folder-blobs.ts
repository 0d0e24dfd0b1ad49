import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { DigestStream, digestOf, hexOf, ownDigest, parseDigest } from '../digests/digest.ts';
import { systemCode } from '../files/file-write-failed.ts';
import { makeFolder, syncFolder } from '../files/make-folder.ts';
import { sweepTemporaryFiles, throughTemporaryFile } from '../files/temporary-file.ts';
import type { BlobStore, StoredBlob } from './blob-store.ts';

const blockBytes = 1 << 18;

/** A blob store in a folder: `<folder>/sha256/ab/<64 hex>`. */
export function createFolderBlobs(folder: string): BlobStore {
  const base = join(folder, 'sha256');
  const shelfOf = (digest: Digest) => join(base, hexOf(parseDigest(digest)).slice(0, 2));
  const pathOf = (digest: Digest) => join(shelfOf(digest), hexOf(digest));

  async function put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    const path = pathOf(digest);
    if (await holds(path, digest, bytes.length)) {
      // Another process may have renamed it a moment ago and not yet synced the folder.
      await syncFolder(shelfOf(digest));
      return digest;
    }
    await makeFolder(shelfOf(digest));
    await throughTemporaryFile({ folder: base, mode: 0o600, subject: path }, async (handle) => {
      await handle.writeFile(bytes);
      return { path };
    });
    return digest;
  }

  async function putFile(source: string): Promise<{ readonly digest: Digest; readonly size: number }> {
    await makeFolder(base);
    const { digest, size } = await throughTemporaryFile(
      { folder: base, mode: 0o600, subject: `a copy of ${source}` },
      async (handle) => {
        const copied = await copyInto(handle, source);
        await makeFolder(shelfOf(copied.digest));
        return { ...copied, path: pathOf(copied.digest) };
      },
    );
    return { digest, size };
  }

  return {
    put,
    putFile,
    async get(digest) {
      const path = pathOf(digest);
      let bytes: Uint8Array;
      try {
        bytes = await readFile(path);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') throw missing(digest);
        throw readFailed(path, error);
      }
      if (digestOf(bytes) !== digest) throw corrupt(digest, path);
      return bytes;
    },
    async has(digest) {
      return (await sizeOf(pathOf(digest))) !== undefined;
    },
    async stat(digest) {
      return storedAt(pathOf(digest), digest);
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
    sweep: () => sweepTemporaryFiles(base),
  };
}

async function storedAt(path: string, digest: Digest): Promise<StoredBlob | null> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { digest, size, storedAt: Math.floor(mtimeMs * 1000) };
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
    throw readFailed(path, error);
  }
}

async function copyInto(
  target: FileHandle,
  source: string,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const from = await openRegularFile(source);
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

/** Without O_NONBLOCK the open of a FIFO would wait for a writer for ever. */
async function openRegularFile(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw readFailed(path, error);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw readFailed(path, new Error('not a regular file'));
}

function readFailed(path: string, cause: unknown): WaybillError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WaybillError('file_read_failed', `cannot read ${path}: ${reason}`, {
    hint: 'Check that it is a regular file this user may read.',
    details: { path, systemCode: systemCode(cause) ?? null },
    cause,
  });
}

function missing(digest: Digest): WaybillError {
  return new WaybillError('blob_missing', `no bytes are stored under ${digest}`, {
    hint: 'Import the bundle of the run again, or restore `.waybill/blobs` from a backup.',
    details: { digest },
  });
}

function corrupt(digest: Digest, path: string): WaybillError {
  return new WaybillError('blob_corrupt', `the bytes stored under ${digest} are not the ones that were stored`, {
    hint: 'The disk or somebody changed the file: restore it from a backup or import the bundle of the run again.',
    details: { digest, path },
  });
}
