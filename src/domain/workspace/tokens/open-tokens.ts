import type { Token } from '../../../contract/api/tokens.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import { authenticate } from './authenticate.ts';
import { changeRoles } from './change-roles.ts';
import { issueToken } from './issue-token.ts';
import { revokeToken } from './revoke-token.ts';
import { shownToken } from './token-row.ts';
import { TokenUses, type TokenUsesOptions } from './token-uses.ts';
import type { Tokens } from './tokens.ts';

/** The tokens in a store. */
export function openTokens(store: Store, clock: Clock, options: TokenUsesOptions = {}): Tokens {
  const uses = new TokenUses(store, options);
  return {
    authenticate: (token) => authenticate(store, clock, uses, token),
    make: (wanted, by) => issueToken(store, clock, wanted, by),
    list: () => list(store),
    changeRoles: (id, change, by) => changeRoles(store, clock, id, change, by),
    revoke: (id, by) => revokeToken(store, clock, id, by),
    close: () => uses.close(),
  };
}

async function list(store: Store): Promise<readonly Token[]> {
  const rows = await store.read((tx) =>
    tx.db
      .selectFrom('api_token')
      .leftJoin('api_token_use', 'api_token_use.token', 'api_token.id')
      .selectAll('api_token')
      .select('api_token_use.used_at')
      .orderBy('created_at')
      .orderBy('id')
      .execute(),
  );
  return rows.map(({ used_at, ...row }) => shownToken(row, used_at));
}
