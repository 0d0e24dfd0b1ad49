import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { workspaceRoles } from '../../../contract/api/role.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { PreparedSql, Store } from '../../../platform/store/store.ts';
import { readGrants } from './token-row.ts';
import { isToken } from './token-text.ts';
import type { TokenUses } from './token-uses.ts';
import type { Caller } from './tokens.ts';

const selectByDigest: PreparedSql = {
  sqlite: 'SELECT id, actor, role, grants, digest, expires_at, revoked_at FROM api_token WHERE digest = ?',
  postgres: 'SELECT id, actor, role, grants, digest, expires_at, revoked_at FROM api_token WHERE digest = $1',
};
const time = z.union([z.number(), z.bigint()]).nullable();
const found = z.object({
  id: z.string(),
  actor: z.string(),
  role: z.enum(workspaceRoles).nullable(),
  grants: z.string(),
  digest: z.string(),
  expires_at: time,
  revoked_at: time,
});
const nobody = digestOf('nobody');

/**
 * Who a token speaks for; null when it opens nothing. Every call looks into the store, in one read: a token that was
 * revoked, and a role that was changed, counts from the next request on, in every daemon.
 */
export async function authenticate(store: Store, clock: Clock, uses: TokenUses, token: string): Promise<Caller | null> {
  if (!isToken(token)) return null;
  const digest = digestOf(token);
  const [row] = await store.select(selectByDigest, [digest]);
  const known = row === undefined ? undefined : found.parse(row);
  const same = timingSafeEqual(Buffer.from(known?.digest ?? nobody), Buffer.from(digest));
  if (known === undefined || !same || known.revoked_at !== null) return null;
  const now = clock.now();
  if (known.expires_at !== null && known.expires_at <= now) return null;
  uses.note(known.id, now);
  return { actor: known.actor, role: known.role, repos: readGrants(known.grants) };
}
