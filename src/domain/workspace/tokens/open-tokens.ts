import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import { type Role, roles } from '../../../contract/api/role.ts';
import type { MadeToken, Token } from '../../../contract/api/tokens.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { type Clock, formatTime } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { randomHex } from '../../../platform/ids/make-id.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { PreparedSql, Store } from '../../../platform/store/store.ts';
import type { ApiTokenTable } from '../tables.ts';
import type { Caller, Tokens } from './tokens.ts';

/** 32 random bytes: nobody guesses them, so the digest needs neither salt nor a slow function. */
const tokenShape = /^wb_[A-Za-z0-9_-]{43}$/;

export function isToken(text: string): boolean {
  return tokenShape.test(text);
}

export function makeToken(): string {
  return `wb_${randomBytes(32).toString('base64url')}`;
}

/** The tokens in a store. */
export function openTokens(store: Store, clock: Clock): Tokens {
  return {
    authenticate: (token) => authenticate(store, token),
    make: ({ name, role }, by) => make(store, clock, { name, role, actor: `token:${name}`, by }),
    list: () => list(store),
    revoke: (id, by) => revoke(store, clock, id, by),
  };
}

const selectByDigest: PreparedSql = {
  sqlite: 'SELECT actor, role, digest, revoked_at FROM api_token WHERE digest = ?',
  postgres: 'SELECT actor, role, digest, revoked_at FROM api_token WHERE digest = $1',
};
const found = z.object({
  actor: z.string(),
  role: z.enum(roles),
  digest: z.string(),
  revoked_at: z.union([z.number(), z.bigint()]).nullable(),
});
const nobody = digestOf('nobody');

/** Every call looks into the store, so that a revoked token is refused from the next request on, in every daemon. */
async function authenticate(store: Store, token: string): Promise<Caller | null> {
  if (!isToken(token)) return null;
  const digest = digestOf(token);
  const [row] = await store.select(selectByDigest, [digest]);
  const known = row === undefined ? undefined : found.parse(row);
  const same = timingSafeEqual(Buffer.from(known?.digest ?? nobody), Buffer.from(digest));
  if (known === undefined || !same || known.revoked_at !== null) return null;
  return { actor: known.actor, role: known.role };
}

interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly actor: string;
  readonly by: string;
}

async function make(store: Store, clock: Clock, wanted: NewToken): Promise<MadeToken> {
  const token = makeToken();
  try {
    return { ...(await keepToken(store, clock, wanted, token)), token };
  } catch (error) {
    if (!isRefused(error)) throw error;
    throw new WaybillError('token_exists', `there is a valid token named "${wanted.name}"`, {
      hint: 'Choose another name, or revoke that one first.',
      details: { name: wanted.name },
      cause: error,
    });
  }
}

/**
 * Stores the digest of a token, with its audit record.
 * @throws WaybillError `store_constraint` when a valid token has this name, or the store knows this token
 */
export async function keepToken(
  store: Store,
  clock: Clock,
  { name, role, actor, by }: NewToken,
  token: string,
): Promise<Token> {
  const row: ApiTokenTable = {
    id: `tok_${randomHex(8)}`,
    name,
    actor,
    role,
    digest: digestOf(token),
    created_at: clock.now(),
    created_by: by,
    revoked_at: null,
    revoked_by: null,
  };
  const audit = {
    at: row.created_at,
    actor: by,
    action: 'token.issued',
    resource: row.id,
    outcome: 'succeeded',
    details: { name, role },
  } as const;
  await store.write((tx) =>
    commit(tx, {
      change: async () => void (await tx.db.insertInto('api_token').values(row).execute()),
      audit: [audit],
    }),
  );
  return shown(row);
}

/** True when a unique index, or the guard that stands for it, refused a token. */
export function isRefused(error: unknown): boolean {
  return error instanceof WaybillError && error.code === 'store_constraint';
}

async function list(store: Store): Promise<readonly Token[]> {
  const rows = await store.read((tx) =>
    tx.db.selectFrom('api_token').selectAll().orderBy('created_at').orderBy('id').execute(),
  );
  return rows.map(shown);
}

/** Revoking a revoked token changes nothing and records nothing. */
async function revoke(store: Store, clock: Clock, id: string, by: string): Promise<Token> {
  try {
    return await store.locked({ table: 'api_token', key: { id } }, async (tx) => {
      const row = await tx.db.selectFrom('api_token').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
      if (row.revoked_at !== null) return shown(row);
      const revoked = { revoked_at: clock.now(), revoked_by: by };
      await commit(tx, {
        change: async () => void (await tx.db.updateTable('api_token').set(revoked).where('id', '=', id).execute()),
        audit: [
          {
            at: revoked.revoked_at,
            actor: by,
            action: 'token.revoked',
            resource: id,
            outcome: 'succeeded',
            details: { name: row.name, role: row.role },
          },
        ],
      });
      return shown({ ...row, ...revoked });
    });
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'store_row_missing') throw error;
    throw new WaybillError('token_not_found', `there is no token ${JSON.stringify(id.slice(0, 64))}`, {
      hint: 'A token is revoked by its id, not by its name: `waybill tokens` lists them.',
      cause: error,
    });
  }
}

function shown(row: Selectable<ApiTokenTable>): Token {
  return {
    id: row.id,
    name: row.name,
    actor: row.actor,
    role: row.role,
    createdAt: formatTime(row.created_at),
    revokedAt: row.revoked_at === null ? null : formatTime(row.revoked_at),
  };
}
