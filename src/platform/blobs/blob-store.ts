import type { Digest } from '../../contract/ids.ts';
import type { Micros } from '../clock/clock.ts';

/** Bytes that are kept, as far as they are known without reading them. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
  /** When they were last put. */
  readonly storedAt: Micros;
}

/** Bytes kept once each under their digest: a folder, or later an object store. `blob-store-conformance.ts` is its law. */
export interface BlobStore {
  /** Durable when it resolves; bytes that are there already are checked, and written again if they went bad. */
  put(bytes: Uint8Array): Promise<Digest>;
  /**
   * Copies a regular file in, in constant memory; resolves with what was really read.
   * @throws WaybillError `file_read_failed`, `file_write_failed`
   */
  putFile(path: string): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** @throws WaybillError `blob_missing`, `blob_corrupt`, `file_read_failed` */
  get(digest: Digest): Promise<Uint8Array>;
  /** True when bytes lie under this digest; only `get` reads and checks them. */
  has(digest: Digest): Promise<boolean>;
  /** Null when nothing lies under this digest. */
  stat(digest: Digest): Promise<StoredBlob | null>;
  /** Everything there is, in the order of the digests, without holding it in memory. */
  list(): AsyncIterable<StoredBlob>;
  /** Removes what crashed writers left behind; run at start. Returns how many files. */
  sweep(): Promise<number>;
}
