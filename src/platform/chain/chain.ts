import type { Digest } from '../../contract/ids.ts';
import { digestOf } from '../digests/digest.ts';

/** The digest "before the first": what the first link of every chain points back to. */
export const chainStart = digestOf('');

/**
 * One link of a hash chain: SHA-256 over the domain tag, the digest before it and the canonical bytes, each
 * on its own line. The tag keeps a link of one chain (ledger, audit, state history) from being passed off as
 * a link of another; it holds no newline and digests have a fixed length, so no two different links have the same bytes.
 */
export function chainDigest(domainTag: string, previous: Digest, canonicalBytes: string): Digest {
  return digestOf(`${domainTag}\n${previous}\n${canonicalBytes}`);
}
