import type { Selectable } from 'kysely';
import { z } from 'zod';
import { repoRoles } from '../../../contract/api/role.ts';
import type { Token } from '../../../contract/api/tokens.ts';
import type { JsonObject } from '../../../contract/json.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import type { ApiTokenTable } from '../tables.ts';
import type { RepoGrant, Rights } from './may-use.ts';

const none = '[]';
const grantsSchema = z.array(z.strictObject({ repo: z.string(), role: z.enum(repoRoles) }));

/** Grants as the column holds them: equal grants are the same text. */
export function grantsText(repos: readonly RepoGrant[]): string {
  const sorted = repos.map(({ repo, role }) => ({ repo, role })).sort((a, b) => (a.repo < b.repo ? -1 : 1));
  return canonicalJson(sorted);
}

export function readGrants(text: string): RepoGrant[] {
  // Most tokens have none, and this is read with each request.
  return text === none ? [] : grantsSchema.parse(JSON.parse(text));
}

/** What a token may do, as the audit keeps it. */
export function rightsJson({ role, repos }: Rights): JsonObject {
  return { role, repos: repos.map((grant) => ({ repo: grant.repo, role: grant.role })) };
}

/** A token as it is shown. */
export function shownToken(row: Selectable<ApiTokenTable>, usedAt: number | null): Token {
  const time = (at: number | null) => (at === null ? null : formatTime(at));
  return {
    id: row.id,
    name: row.name,
    actor: row.actor,
    role: row.role,
    repos: readGrants(row.grants),
    createdAt: formatTime(row.created_at),
    expiresAt: time(row.expires_at),
    revokedAt: time(row.revoked_at),
    lastUsedAt: time(usedAt),
  };
}
