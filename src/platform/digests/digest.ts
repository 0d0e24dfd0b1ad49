import { createHash, hash } from 'node:crypto';
import type { Digest } from '../../contract/ids.ts';
import { parseId } from '../../contract/ids.ts';

/** Brands 64 hex digits this module computed; the only place where a digest is made without parsing. */
function brand(hex: string): Digest {
  return `sha256:${hex}` as Digest;
}

/** SHA-256 of bytes, or of the UTF-8 form of a text, as `sha256:<64 hex>`. */
export function digestOf(data: string | Uint8Array): Digest {
  return brand(hash('sha256', data, 'hex'));
}

/** A digest computed piece by piece, for content that does not fit in memory. */
export class DigestStream {
  readonly #hash = createHash('sha256');
  update(chunk: string | Uint8Array): this {
    this.#hash.update(chunk);
    return this;
  }
  finish(): Digest {
    return brand(this.#hash.digest('hex'));
  }
}

/** The 64 hex digits of a digest, without its `sha256:`. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** The digest with these 64 hex digits, which this program computed itself and kept safe; all else is for `parseDigest`. */
export function ownDigest(hex: string): Digest {
  return brand(hex);
}

/** @throws WaybillError `invalid_id` */
export function parseDigest(text: unknown): Digest {
  return parseId('digest', text);
}
