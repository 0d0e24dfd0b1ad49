import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Digest } from '../../../contract/ids.ts';
import type { OpenBlob } from '../../../platform/blobs/blob-store.ts';
import { rangeOf } from './byte-range.ts';
import { etagOf, judgeConditions } from './preconditions.ts';
import { writeBlocks } from './write-blocks.ts';

export interface SentBytes {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  readonly open: () => Promise<OpenBlob>;
  /** Told when the bytes could not be read to their end: then the connection is cut, because the head has been sent. */
  readonly failed: (error: unknown) => void;
}

/**
 * Answers a GET or a HEAD with bytes, or with why none are needed.
 * @throws WaybillError `precondition_failed`, `range_not_satisfiable`; what `open` throws
 */
export async function sendBytes(
  { method, headers }: FastifyRequest,
  reply: FastifyReply,
  { digest, size, mediaType, open, failed }: SentBytes,
): Promise<FastifyReply> {
  // Kept by whoever asked, and asked for again before it is used: who may read it can change, the bytes cannot.
  void reply.headers({ etag: etagOf(digest), 'cache-control': 'private, no-cache' });
  const { unchanged, ranged } = judgeConditions(headers, digest);
  if (unchanged) return reply.code(304).send();
  void reply.headers({
    'accept-ranges': 'bytes',
    'content-type': mediaType,
    // Somebody's files, from the address of our own pages: nothing in them is run there.
    'content-security-policy': "sandbox; default-src 'none'",
  });
  if (method === 'HEAD') {
    // That it could be read is a part of the answer.
    await (await open())[Symbol.asyncDispose]();
    return reply.header('content-length', size).send();
  }
  const range = ranged ? rangeOf(headers.range, size) : null;
  const blob = await open();
  if (range !== null) {
    const { first, last } = range;
    void reply.code(206).header('content-range', `bytes ${first}-${last}/${size}`);
  }
  void reply.header('content-length', range === null ? size : range.last - range.first + 1);
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
  reply.raw.statusCode = reply.statusCode;
  await writeBlocks(reply.raw, blob, range, { failed });
  return reply;
}
