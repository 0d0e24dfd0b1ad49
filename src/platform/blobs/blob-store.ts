import type { Readable } from 'node:stream';
import type { Digest } from '../../contract/ids.ts';
import type { Micros } from '../clock/clock.ts';

/** Bytes that are kept, as far as they are known without reading them. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
  /** When they were last put or touched. */
  readonly storedAt: Micros;
}

/** Bytes that were stored just now. */
export interface ReceivedBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** What is known of bytes before they come. */
export interface ExpectedBytes {
  readonly digest?: Digest | undefined;
  readonly size?: number | undefined;
  /** More than this many are refused as soon as they come. */
  readonly maxBytes?: number | undefined;
}

/** A part of a blob, as its first and last byte, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** A blob that is being read: it stays whole until it is closed, also when it is removed meanwhile. */
export interface OpenBlob extends AsyncDisposable {
  readonly size: number;
  /**
   * The bytes, or the range of them, in constant memory; to be called once. The blob is closed when the stream ends or is
   * destroyed. What is streamed is not checked: whoever reads all of it can, `get` does.
   */
  stream(range?: ByteRange): Readable;
  /**
   * The same, handed to `take` a block at a time, which is the taker's only until its promise resolves: nothing is left to
   * be collected, however much is read. The blob stays open.
   * @throws WaybillError `file_read_failed`; what `take` rejects with
   */
  blocks(take: (block: Uint8Array) => Promise<void>, range?: ByteRange): Promise<void>;
}

/**
 * Bytes kept once each under their digest: a folder, or later an object store. `blob-store-conformance.ts` is its law.
 *
 * **Collecting.** Whoever is about to refer to bytes first puts or touches them, and then commits the reference. Whoever
 * collects first reads the references, and then removes what has none with `remove(digest, { untouchedSince })`, where
 * `untouchedSince` lies before the references were read, by more than any commit takes (`registry.graceHours`). Then
 * either the collector sees the reference, or `remove` sees the touch, or the touch finds nothing and the bytes are put
 * anew. No lock is needed, and any number of processes may do either at once.
 */
export interface BlobStore {
  /** Durable when it resolves; bytes that are there already are checked, and written again if they went bad. */
  put(bytes: Uint8Array): Promise<Digest>;
  /**
   * Copies a regular file in, in constant memory; resolves with what was really read.
   * @throws WaybillError `file_read_failed`, `file_write_failed`
   */
  putFile(path: string): Promise<ReceivedBlob>;
  /**
   * Takes bytes in as they come, in constant memory; durable when it resolves. Whatever goes wrong, an error of `source`
   * included, leaves nothing behind.
   * @throws WaybillError `digest_mismatch` and `size_mismatch` with `expected` and `actual` in the details,
   * `body_too_large`, `file_write_failed`; what `source` throws
   */
  receive(source: AsyncIterable<Uint8Array>, expected?: ExpectedBytes): Promise<ReceivedBlob>;
  /** @throws WaybillError `blob_missing`, `blob_corrupt`, `file_read_failed` */
  get(digest: Digest): Promise<Uint8Array>;
  /** @throws WaybillError `blob_missing`, `file_read_failed` */
  open(digest: Digest): Promise<OpenBlob>;
  /** True when bytes lie under this digest; only `get` reads and checks them. */
  has(digest: Digest): Promise<boolean>;
  /** Null when nothing lies under this digest. */
  stat(digest: Digest): Promise<StoredBlob | null>;
  /** Keeps what is there from being collected as if it were put again, without reading it; null when nothing is there. */
  touch(digest: Digest): Promise<StoredBlob | null>;
  /**
   * Removes bytes unless they were put or touched at `untouchedSince` or later. A reader that has them open reads on.
   * `kept`: they were touched; `missing`: there was nothing.
   * @throws WaybillError `file_write_failed`
   */
  remove(digest: Digest, options: { readonly untouchedSince: Micros }): Promise<'removed' | 'kept' | 'missing'>;
  /** Everything there is, in the order of the digests, without holding it in memory. */
  list(): AsyncIterable<StoredBlob>;
  /** Removes what crashed writers left behind, and puts back what crashed collectors held; run at start. Returns how many files. */
  sweep(): Promise<number>;
  readonly staged: StagedUploads;
}

/** A part of an upload that lies staged. */
export interface StagedUpload {
  readonly id: string;
  /** How many bytes are there. */
  readonly size: number;
  /** When the last ones came. */
  readonly changedAt: Micros;
}

/**
 * Bytes that come in parts, over restarts, before they have a digest. Ids are the caller's, of letters, digits, `_` and
 * `-`; an upload begins with its first byte, and one that has none yet looks like one that does not exist.
 */
export interface StagedUploads {
  /** Null when nothing is there. */
  stat(id: string): Promise<StagedUpload | null>;
  /**
   * Adds bytes at the end, which must be `offset`; resolves with the new end. What arrived is durable and stays, also when
   * `source` fails in the middle: then its error is thrown, and `stat` tells the end. A second append to the same upload in
   * one process ends the first: whoever resumes need not wait until a lost connection is noticed.
   * @throws WaybillError `upload_offset_mismatch` with `offset`, where the end is, in the details; `size_mismatch` and
   * `body_too_large` when it would hold more than `limits` say, and then none of what came is kept; `lease_held` when another process is at it;
   * `file_write_failed`
   */
  append(
    id: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    limits?: Omit<ExpectedBytes, 'digest'>,
  ): Promise<number>;
  /**
   * Checks all of it and moves it among the blobs. A mismatch leaves the upload as it is; so does every other error. Of what
   * is not there, the bytes are none.
   * @throws WaybillError `digest_mismatch`, `size_mismatch`, `body_too_large`, `lease_held`, `file_write_failed`
   */
  finish(id: string, expected?: ExpectedBytes): Promise<ReceivedBlob>;
  /** False when nothing was there. @throws WaybillError `lease_held`, `file_write_failed` */
  discard(id: string): Promise<boolean>;
  /** All there are, in no order. */
  list(): AsyncIterable<StagedUpload>;
}
