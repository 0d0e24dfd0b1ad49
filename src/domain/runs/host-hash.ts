import { createHmac } from 'node:crypto';
import type { Digest } from '../../contract/ids.ts';
import { ownDigest } from '../../platform/digests/digest.ts';

/**
 * Tells runs of one machine from those of another without saying its name: HMAC-SHA-256 under the secret key of the
 * workspace, so that nobody can try names, and two workspaces give one machine two hashes.
 */
export function hostHash(key: Uint8Array, host: string): Digest {
  return ownDigest(createHmac('sha256', key).update('waybill.host.v1\0').update(host).digest('hex'));
}
