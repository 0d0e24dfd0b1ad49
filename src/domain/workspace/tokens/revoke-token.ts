import type { Token } from '../../../contract/api/tokens.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Store } from '../../../platform/store/store.ts';
import { changeToken, lastUse } from './change-token.ts';
import { recordRefusal } from './record-refusal.ts';
import { rightsJson, shownToken } from './token-row.ts';

/** Revokes a token; see `Tokens.revoke`. Revoking a revoked one changes nothing and records nothing. */
export async function revokeToken(store: Store, clock: Clock, id: string, by: string): Promise<Token> {
  const record = { actor: by, action: 'token.revoked', resource: id } as const;
  return recordRefusal(store, { ...record, at: clock.now() }, () =>
    changeToken(store, id, async (tx, row) => {
      const used = await lastUse(tx, id);
      if (row.revoked_at !== null) return shownToken(row, used);
      const revoked = { revoked_at: clock.now(), revoked_by: by };
      const shown = shownToken({ ...row, ...revoked }, used);
      const details = { name: row.name, ...rightsJson(shown) };
      await commit(tx, {
        change: async () => void (await tx.db.updateTable('api_token').set(revoked).where('id', '=', id).execute()),
        audit: [{ ...record, at: revoked.revoked_at, outcome: 'succeeded', details }],
      });
      return shown;
    }),
  );
}
