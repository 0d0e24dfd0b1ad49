import type { ServerResponse } from 'node:http';
import { WaybillError } from '../../../contract/errors.ts';
import type { ByteRange, OpenBlob } from '../../../platform/blobs/blob-store.ts';
import { idleMs } from './request-bytes.ts';

/**
 * Writes the bytes as fast as the client takes them, and lets go of the blob. The head is on its way: what goes wrong now
 * cuts the connection. Never rejects but for a blob that cannot be closed.
 */
export async function writeBlocks(
  response: ServerResponse,
  blob: OpenBlob,
  range: ByteRange | null,
  { failed, silentMs = idleMs }: { readonly failed: (error: unknown) => void; readonly silentMs?: number },
): Promise<void> {
  let stop: (error: Error) => void = () => {};
  const gone = (): void => stop(new Error('the client is gone'));
  response.once('close', gone);
  // `close` follows, and ends the write that waits.
  response.on('error', gone);
  // A client that takes nothing for so long is cut off; one that takes may be as slow as it likes.
  response.setTimeout(silentMs, () => response.destroy());
  const write = (block: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      stop = reject;
      if (response.destroyed) gone();
      else response.write(block, (error) => (error ? reject(error) : resolve()));
    });
  try {
    await blob.blocks(write, range ?? undefined);
    response.end();
  } catch (error) {
    response.destroy();
    if (error instanceof WaybillError) failed(error);
  } finally {
    await blob[Symbol.asyncDispose]();
  }
}
