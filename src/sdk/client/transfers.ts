import { createHash } from 'node:crypto';
import { byteRoutes, bytesMediaType } from '../../contract/api/byte-routes.ts';
import { type BlobAnswer, blobSchema, uploadOffsetHeader } from '../../contract/api/uploads.ts';
import { WaybillError } from '../../contract/errors.ts';
import { jsonOf, notOurs, unreachable } from './client-error.ts';
import { fits } from './fits.ts';
import { type PlainRequest, requestOf } from './plain-calls.ts';
import type { Send } from './send.ts';

/** Bytes to send, as they are or as they come. Each is asked for once. */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array>;

export interface PutBlobOptions {
  /** What the bytes must be; computed on the way unless given. */
  readonly digest?: string;
  /** How many there are, when that is known of a stream. */
  readonly size?: number;
  readonly signal?: AbortSignal;
}

export interface GetBytesOptions {
  /** The first and the last byte, both included, and counted from 0. */
  readonly range?: { readonly first: number; readonly last?: number };
  readonly signal?: AbortSignal;
}

/** Bytes that are coming. */
export interface Download {
  /** Of all the bytes, also when a range was asked for. */
  readonly digest: string;
  /** How many come. */
  readonly size: number;
  readonly mediaType: string;
  /**
   * To be read to its end, or canceled. All of a blob is checked as it comes: after its last byte it fails with
   * `digest_mismatch` when it is not what it should be, with `daemon_unreachable` when the connection is lost.
   */
  readonly body: ReadableStream<Uint8Array>;
}

export interface FilePlace {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly path: string;
}

export interface Transfers {
  /**
   * Puts bytes into a repo, in constant memory. A stream whose digest is not given is sent as an upload and named at its
   * end, so that it is read only once.
   * @throws WaybillError `digest_mismatch`, `size_mismatch`, `body_too_large` ...; what the source throws
   */
  putBlob(repo: string, source: ByteSource, options?: PutBlobOptions): Promise<BlobAnswer>;
  /** @throws WaybillError `blob_unknown`, `range_not_satisfiable` ... */
  getBlob(repo: string, digest: string, options?: GetBytesOptions): Promise<Download>;
  /** A file of a published version. @throws WaybillError `version_tombstoned`, `version_quarantined` ... */
  downloadFile(repo: string, file: FilePlace, options?: GetBytesOptions): Promise<Download>;
}

/** What a stream without a digest needs of the typed client. */
export interface UploadCalls {
  start(repo: string, size: number | undefined): Promise<{ readonly uploadId: string }>;
  finish(repo: string, uploadId: string, digest: string): Promise<BlobAnswer>;
  discard(repo: string, uploadId: string): Promise<unknown>;
}

export function createTransfers(
  send: Send,
  { url, where, uploads }: { readonly url: string; readonly where: string; readonly uploads: UploadCalls },
): Transfers {
  async function sendBytes(
    route: typeof byteRoutes.putBlob | typeof byteRoutes.appendToUpload,
    request: PlainRequest,
    { source, size, headers = {} }: { source: ByteSource; size: number | undefined; headers?: Record<string, string> },
  ): Promise<Response> {
    const asked = requestOf(url, route, request, null);
    const bytes = new Sending(source, size);
    try {
      return await send.whole(
        new Request(asked, {
          body: ReadableStream.from(bytes),
          duplex: 'half',
          headers: {
            'content-type': bytesMediaType,
            ...(size === undefined ? {} : { 'content-length': `${size}` }),
            ...headers,
          },
        }),
      );
    } catch (error) {
      // What the source itself failed with is no failure of the connection.
      throw bytes.failure === null ? error : bytes.failure.error;
    }
  }

  async function inOnePart(repo: string, source: ByteSource, digest: string, size: number | undefined, rest: Rest) {
    const request = { params: { repoKey: repo, digest }, ...rest };
    const response = await sendBytes(byteRoutes.putBlob, request, { source, size });
    const blob = jsonOf(await response.text());
    if (fits(blobSchema, blob)) return blob;
    throw notOurs(response, 'its answer to a blob has another shape');
  }

  /** Named when all of it was seen. */
  async function asUpload(repo: string, source: AsyncIterable<Uint8Array>, size: number | undefined, rest: Rest) {
    const { uploadId } = await uploads.start(repo, size);
    try {
      const hash = createHash('sha256');
      const hashed = tapped(source, (chunk) => void hash.update(chunk));
      const request = { params: { repoKey: repo, uploadId }, ...rest };
      const headers = { [uploadOffsetHeader]: '0' };
      await sendBytes(byteRoutes.appendToUpload, request, { source: hashed, size, headers });
      return await uploads.finish(repo, uploadId, `sha256:${hash.digest('hex')}`);
    } catch (error) {
      // It would expire by itself; the first failure is the one worth reporting.
      await uploads.discard(repo, uploadId).catch(() => {});
      throw error;
    }
  }

  async function download(
    route: typeof byteRoutes.getBlob | typeof byteRoutes.getFile,
    params: Readonly<Record<string, unknown>>,
    { range, signal }: GetBytesOptions,
  ): Promise<Download> {
    const asked = requestOf(url, route, { params, ...(signal !== undefined && { signal }) }, null);
    if (range !== undefined) asked.headers.set('range', `bytes=${range.first}-${range.last ?? ''}`);
    const response = await send.begun(asked);
    const digest = /^"(sha256:[0-9a-f]{64})"$/.exec(response.headers.get('etag') ?? '')?.[1];
    const size = Number(response.headers.get('content-length') ?? Number.NaN);
    if (response.body === null || digest === undefined || !Number.isSafeInteger(size)) {
      await response.body?.cancel();
      throw notOurs(response, 'it does not say which bytes these are');
    }
    const checked = received(response.body, { where, size, digest: response.status === 206 ? null : digest });
    const mediaType = response.headers.get('content-type') ?? bytesMediaType;
    return { digest, size, mediaType, body: ReadableStream.from(checked) };
  }

  return {
    putBlob: async (repo, source, { digest, size, signal } = {}) => {
      const rest = signal === undefined ? {} : { signal };
      if (source instanceof Uint8Array) {
        const known = digest ?? `sha256:${createHash('sha256').update(source).digest('hex')}`;
        return await inOnePart(repo, source, known, size ?? source.length, rest);
      }
      if (digest === undefined) return await asUpload(repo, source, size, rest);
      return await inOnePart(repo, source, digest, size, rest);
    },
    getBlob: (repo, digest, options = {}) => download(byteRoutes.getBlob, { repoKey: repo, digest }, options),
    downloadFile: (repo, { type, name, version, path }, options = {}) =>
      download(byteRoutes.getFile, { repoKey: repo, type, name, version, path }, options),
  };
}

type Rest = { readonly signal?: AbortSignal };

/** A source whose own failure can be told from that of the connection; to have another size than was said is one. */
class Sending implements AsyncIterable<Uint8Array> {
  failure: { readonly error: unknown } | null = null;
  readonly #source: ByteSource;
  readonly #size: number | undefined;

  constructor(source: ByteSource, size: number | undefined) {
    this.#source = source;
    this.#size = size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.#checked(this.#source instanceof Uint8Array ? [this.#source] : this.#source);
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  async *#checked(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    let sent = 0;
    for await (const chunk of source) {
      sent += chunk.length;
      // Said in the head of the request, it would be the framing that is wrong, and the answer would say only that.
      if (this.#size !== undefined && sent > this.#size) throw sizeMismatch(this.#size, sent);
      yield chunk;
    }
    if (this.#size !== undefined && sent < this.#size) throw sizeMismatch(this.#size, sent);
  }
}

function sizeMismatch(expected: number, actual: number): WaybillError {
  return new WaybillError('size_mismatch', `there are ${actual} bytes, not ${expected}`, {
    details: { expected, actual },
  });
}

async function* tapped(
  source: AsyncIterable<Uint8Array>,
  look: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of source) {
    look(chunk);
    yield chunk;
  }
}

/** @param expected.digest null for a part, of which nothing is known */
async function* received(
  body: ReadableStream<Uint8Array>,
  expected: { readonly where: string; readonly size: number; readonly digest: string | null },
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw unreachable(expected.where, error);
  }
  if (size !== expected.size) throw unreachable(expected.where, new Error(`it ended after ${size} bytes`));
  const digest = `sha256:${hash.digest('hex')}`;
  if (expected.digest === null || expected.digest === digest) return;
  throw new WaybillError('digest_mismatch', `the bytes have the digest ${digest}, not ${expected.digest}`, {
    hint: 'They are damaged where they lie, or were changed on their way: waybill fsck tells which.',
    details: { expected: expected.digest, actual: digest },
  });
}
