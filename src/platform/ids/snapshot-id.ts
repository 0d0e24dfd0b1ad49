import { type Digest, parseId, type SnapshotId } from '../../contract/ids.ts';
import { hexOf } from '../digests/digest.ts';

/** `snap-<12 hex>`: the short name of a snapshot for people; keys and evidence use the whole digest. */
export function snapshotIdOf(digest: Digest): SnapshotId {
  return parseId('snapshot', `snap-${hexOf(digest).slice(0, 12)}`);
}
