import type { MadeToken, Token } from '../../../contract/api/tokens.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { Clock, Micros } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { randomHex } from '../../../platform/ids/make-id.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { ApiTokenTable } from '../tables.ts';
import { assertReposExist, assertRights, namedTwice } from './check-rights.ts';
import type { Rights } from './may-use.ts';
import { recordRefusal } from './record-refusal.ts';
import { grantsText, rightsJson, shownToken } from './token-row.ts';
import { makeToken } from './token-text.ts';
import type { WantedToken } from './tokens.ts';

/** Makes a token; see `Tokens.make`. */
export async function issueToken(store: Store, clock: Clock, wanted: WantedToken, by: string): Promise<MadeToken> {
  const { name, role = null, repos = [], expiresAt = null } = wanted;
  const at = clock.now();
  const token = makeToken();
  const refused = { at, actor: by, action: 'token.issued', resource: `tokens/${name}` } as const;
  return recordRefusal(store, { ...refused, details: rightsJson({ role, repos }) }, async () => {
    const expires = expiresAt === null ? null : Date.parse(expiresAt) * 1000;
    const past = expires === null || expires > at ? [] : [{ path: 'expiresAt', message: 'must be a time to come' }];
    assertRights({ role, repos }, [...namedTwice(repos), ...past]);
    try {
      const made = await keepToken(store, clock, { name, role, repos, expires, actor: `token:${name}`, by }, token);
      return { ...made, token };
    } catch (error) {
      if (!isRefused(error)) throw error;
      throw new WaybillError('token_exists', `there is a token named "${name}" that is not revoked`, {
        hint: 'Choose another name, or revoke that one first.',
        details: { name },
        cause: error,
      });
    }
  });
}

interface NewToken extends Rights {
  readonly name: string;
  readonly actor: string;
  readonly expires: Micros | null;
  readonly by: string;
}

/**
 * Stores the digest of a token, with its audit record.
 * @throws WaybillError `store_constraint` when a token that is not revoked has this name, or the store knows this
 * token; `repo_not_found`
 */
export async function keepToken(store: Store, clock: Clock, wanted: NewToken, token: string): Promise<Token> {
  const { name, role, repos, actor, expires, by } = wanted;
  const row: ApiTokenTable = {
    id: `tok_${randomHex(8)}`,
    name,
    actor,
    role,
    grants: grantsText(repos),
    digest: digestOf(token),
    created_at: clock.now(),
    created_by: by,
    expires_at: expires,
    revoked_at: null,
    revoked_by: null,
  };
  const shown = shownToken(row, null);
  const audit = {
    at: row.created_at,
    actor: by,
    action: 'token.issued',
    resource: row.id,
    outcome: 'succeeded',
    details: { name, ...rightsJson(shown), expiresAt: shown.expiresAt },
  } as const;
  await store.write(async (tx) => {
    await assertReposExist(
      tx,
      repos.map(({ repo }) => repo),
    );
    await commit(tx, {
      change: async () => void (await tx.db.insertInto('api_token').values(row).execute()),
      audit: [audit],
    });
  });
  return shown;
}

/** True when a unique index, or the guard that stands for it, refused a token. */
export function isRefused(error: unknown): boolean {
  return error instanceof WaybillError && error.code === 'store_constraint';
}
