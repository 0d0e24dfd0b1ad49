import type { Selectable } from 'kysely';
import { WaybillError } from '../../../contract/errors.ts';
import type { LockedTx, Store } from '../../../platform/store/store.ts';
import type { ApiTokenTable } from '../tables.ts';

/**
 * Runs `scope` on one token, locked.
 * @throws WaybillError `token_not_found`, or what `scope` throws
 */
export async function changeToken<T>(
  store: Store,
  id: string,
  scope: (tx: LockedTx, row: Selectable<ApiTokenTable>) => Promise<T>,
): Promise<T> {
  try {
    return await store.locked({ table: 'api_token', key: { id } }, async (tx) => {
      const row = await tx.db.selectFrom('api_token').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
      return scope(tx, row);
    });
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'store_row_missing') throw error;
    throw new WaybillError('token_not_found', `there is no token ${JSON.stringify(id.slice(0, 64))}`, {
      hint: 'A token is named by its id, not by its name: `waybill tokens` lists them.',
      cause: error,
    });
  }
}

/** When a token was last used, as far as it is written. */
export async function lastUse(tx: LockedTx, id: string): Promise<number | null> {
  const row = await tx.db.selectFrom('api_token_use').select('used_at').where('token', '=', id).executeTakeFirst();
  return row?.used_at ?? null;
}
