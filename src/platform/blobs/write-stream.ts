import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../../contract/ids.ts';
import { DigestStream } from '../digests/digest.ts';
import { digestMismatch, sizeMismatch, tooLarge } from './blob-errors.ts';
import type { ExpectedBytes, ReceivedBlob } from './blob-store.ts';

/** Written at once, while the next as many bytes come. */
const blockBytes = 1 << 20;
/** Less than any system takes in one call, for sources that give little at a time. */
const mostChunks = 512;
/** So often the disk is told to begin with what it has, so that the last sync is not left with all of it. */
const syncEveryBytes = 1 << 24;

export interface WriteStreamOptions {
  /** Where in the file the first byte belongs. */
  readonly position: number;
  /** Sees each chunk before it is written; what it throws ends the writing. */
  readonly look: (chunk: Uint8Array) => void;
}

/**
 * Writes chunks into a file as they come: while one block is written the next is received, and nothing is copied. A chunk
 * belongs to us from when it is given. Resolves with how many bytes were written, and leaves the last sync to the caller.
 * When `source` or `look` throws, what came before is written first.
 */
export async function writeStream(
  handle: FileHandle,
  source: AsyncIterable<Uint8Array>,
  { position, look }: WriteStreamOptions,
): Promise<number> {
  const writer = new BlockWriter(handle, position);
  try {
    for await (const chunk of source) {
      if (chunk.length === 0) continue;
      look(chunk);
      if (writer.add(chunk)) await writer.flush();
    }
  } finally {
    await writer.end();
  }
  return writer.position - position;
}

class BlockWriter {
  readonly #handle: FileHandle;
  /** Where the next block goes. */
  position: number;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> | undefined;
  #unsynced = 0;

  constructor(handle: FileHandle, position: number) {
    this.#handle = handle;
    this.position = position;
  }

  /** True when a block is full. */
  add(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    return this.#held >= blockBytes || this.#chunks.length >= mostChunks;
  }

  /** Begins to write what is held, once what was begun before is written. */
  async flush(): Promise<void> {
    await this.#writing;
    const [chunks, at, length] = [this.#chunks, this.position, this.#held];
    this.#chunks = [];
    this.#held = 0;
    this.position += length;
    this.#writing = writeAll(this.#handle, chunks, at);
    // Its failure is told by the next flush, and must not count as unhandled until then.
    this.#writing.catch(() => {});
    this.#unsynced += length;
    if (this.#unsynced < syncEveryBytes || this.#syncing !== undefined) return;
    this.#unsynced = 0;
    // A failure shows again in the last sync, or the kernel has forgotten it: then `end` throws this one.
    this.#syncing = this.#writing.then(() => this.#handle.datasync());
    this.#syncing.then(
      () => {
        this.#syncing = undefined;
      },
      () => {},
    );
  }

  async end(): Promise<void> {
    if (this.#held > 0) await this.flush();
    await this.#writing;
    await this.#syncing;
  }
}

async function writeAll(handle: FileHandle, chunks: Uint8Array[], position: number): Promise<void> {
  let [rest, at] = [chunks, position];
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at);
    at += bytesWritten;
    rest = without(rest, bytesWritten);
  }
}

function without(chunks: Uint8Array[], written: number): Uint8Array[] {
  let left = written;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}

/** Counts and digests bytes as they come, and knows what they are expected to be. */
export class ExpectedStream {
  readonly #expected: ExpectedBytes;
  readonly #digest = new DigestStream();
  #size = 0;

  constructor(expected: ExpectedBytes) {
    this.#expected = expected;
  }

  /** @throws WaybillError `size_mismatch`, `body_too_large` as soon as there is one byte too many */
  readonly look = (chunk: Uint8Array): void => {
    this.#size += chunk.length;
    assertNotOver(this.#size, this.#expected);
    this.#digest.update(chunk);
  };

  /** @throws WaybillError `digest_mismatch`, `size_mismatch` */
  finish(): ReceivedBlob {
    const { size, digest: wanted } = this.#expected;
    if (size !== undefined && this.#size !== size) throw sizeMismatch(size, this.#size);
    const digest: Digest = this.#digest.finish();
    if (wanted !== undefined && digest !== wanted) throw digestMismatch(wanted, digest);
    return { digest, size: this.#size };
  }
}

/** @throws WaybillError `size_mismatch`, `body_too_large` */
export function assertNotOver(size: number, { size: wanted, maxBytes }: Omit<ExpectedBytes, 'digest'>): void {
  if (wanted !== undefined && size > wanted) throw sizeMismatch(wanted, size, true);
  if (maxBytes !== undefined && size > maxBytes) throw tooLarge(maxBytes);
}
