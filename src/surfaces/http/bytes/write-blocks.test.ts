import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import type { OpenBlob } from '../../../platform/blobs/blob-store.ts';
import { writeBlocks } from './write-blocks.ts';

const block = Buffer.alloc(1 << 18, 'x');
const address = z.custom<AddressInfo>((value) => typeof value === 'object' && value !== null);

/** A blob of so many blocks; tells how many were taken, and whether it was closed. */
function blobOf(blocks: number, failure?: Error) {
  const seen = { taken: 0, closed: 0 };
  const blob: OpenBlob = {
    size: blocks * block.length,
    stream: () => Readable.from([]),
    blocks: async (take) => {
      for (let index = 0; index < blocks; index++) {
        await take(block);
        seen.taken++;
      }
      if (failure !== undefined) throw failure;
    },
    [Symbol.asyncDispose]: async () => void seen.closed++,
  };
  return { blob, seen };
}

/** A server that answers each request with a blob; `told` is what was reported as a failure. */
async function serving(blob: OpenBlob) {
  const told: unknown[] = [];
  const done = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    response.setHeader('content-length', blob.size);
    void writeBlocks(response, blob, null, { failed: (error) => void told.push(error), silentMs: 300 }).then(
      done.resolve,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: address.parse(server.address()).port, told, done: done.promise };
}

test('G2 all of it arrives, and the blob is let go of', async () => {
  const { blob, seen } = blobOf(20);
  const { port, told, done } = await serving(blob);
  const [answer] = await once(get({ port }), 'response');
  expect(await buffer(answer)).toHaveLength(blob.size);
  await done;
  expect([seen, told]).toEqual([{ taken: 20, closed: 1 }, []]);
});

test('G2 a client that takes nothing is cut off, and holds no more than the system does meanwhile', async () => {
  const { blob, seen } = blobOf(400);
  const { port, told, done } = await serving(blob);
  const asked = get({ port });
  asked.on('error', () => {});
  const [answer] = await once(asked, 'response');
  answer.on('error', () => {});
  answer.pause();
  await done;
  expect(seen.closed).toBe(1);
  expect(seen.taken).toBeLessThan(400);
  expect(told).toEqual([]);
});

test('G2 a client that goes away ends it; bytes that cannot be read cut the connection, and that is reported', async () => {
  const left = blobOf(400);
  const first = await serving(left.blob);
  const asked = get({ port: first.port });
  asked.on('error', () => {});
  const [answer] = await once(asked, 'response');
  answer.on('error', () => {});
  answer.destroy();
  await first.done;
  expect([left.seen.closed, first.told]).toEqual([1, []]);

  const broken = new WaybillError('file_read_failed', 'the disk is gone');
  const { blob, seen } = blobOf(2, broken);
  const second = await serving({ ...blob, size: blob.size + 1 });
  const [cut] = await once(get({ port: second.port }), 'response');
  await expect(buffer(cut)).rejects.toThrow(/aborted/);
  await second.done;
  expect([seen.closed, second.told]).toEqual([1, [broken]]);
});
