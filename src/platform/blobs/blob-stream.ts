import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { readFailed } from './blob-errors.ts';

/** Large enough that a read costs little beside its bytes, small enough for thousands of readers. */
const blockBytes = 1 << 18;

/** Bytes `first` to `first + count - 1` of an open file, read one block ahead; closes the file when it ends. */
export class BlobStream extends Readable {
  readonly #handle: FileHandle;
  readonly #path: string;
  #position: number;
  #left: number;

  constructor(handle: FileHandle, { path, first, count }: { path: string; first: number; count: number }) {
    super({ highWaterMark: 2 * blockBytes });
    this.#handle = handle;
    this.#path = path;
    this.#position = first;
    this.#left = count;
  }

  override _read(): void {
    this.#next().catch((error: unknown) => this.destroy(readFailed(this.#path, error)));
  }

  async #next(): Promise<void> {
    if (this.#left === 0) {
      this.push(null);
      return;
    }
    // Not from the pool, and never used again: whoever gets it may keep it for as long as it is being sent.
    const block = Buffer.allocUnsafeSlow(Math.min(blockBytes, this.#left));
    const { bytesRead } = await this.#handle.read(block, 0, block.length, this.#position);
    if (bytesRead === 0) throw new Error('it is shorter than it was');
    this.#position += bytesRead;
    this.#left -= bytesRead;
    this.push(bytesRead === block.length ? block : block.subarray(0, bytesRead));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#handle.close().then(
      () => done(error),
      (failed: unknown) => done(error ?? readFailed(this.#path, failed)),
    );
  }
}
