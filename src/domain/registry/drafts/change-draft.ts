import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { LockedTx, PreparedSql } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';
import { versionNotFound } from '../version-not-found.ts';
import { readVersionRow, type VersionRow } from '../version-row.ts';
import { draftExpired, versionImmutable } from './draft-errors.ts';

const packageOf: PreparedSql = {
  sqlite: 'SELECT package FROM version WHERE id = ? AND repo = ?',
  postgres: 'SELECT package FROM version WHERE id = $1 AND repo = $2',
};
const packageRow = z.object({ package: z.string() });

/**
 * Runs `change` on a draft while its package is locked: nobody publishes, changes or removes it meanwhile.
 * @throws WaybillError `version_not_found`, `version_immutable`, `draft_expired`, or what `change` throws
 */
export function changeDraft<T>(
  registry: Registry,
  wanted: { readonly repo: string; readonly versionId: string },
  change: (tx: LockedTx, draft: VersionRow) => Promise<T>,
): Promise<T> {
  return withVersion(registry, wanted, async (tx, row) => {
    if (isExpired(row, registry.clock.now())) throw draftExpired(row.versionId, row.expiresAt ?? 0);
    return await change(tx, row);
  });
}

/** The same, also when the draft has expired. @throws WaybillError `version_not_found`, `version_immutable` */
export async function withVersion<T>(
  { store }: Pick<Registry, 'store'>,
  { repo, versionId }: { readonly repo: string; readonly versionId: string },
  change: (tx: LockedTx, draft: VersionRow) => Promise<T>,
): Promise<T> {
  if (!isId('version', versionId)) throw versionNotFound(repo, versionId);
  const [found] = await store.select(packageOf, [versionId, repo]);
  if (found === undefined) throw versionNotFound(repo, versionId);
  const id = packageRow.parse(found).package;
  try {
    return await store.locked({ table: 'package', key: { id } }, async (tx) => {
      const row = await readVersionRow(tx, repo, versionId, false);
      // It went while this waited for the lock.
      if (row === undefined) throw versionNotFound(repo, versionId);
      if (row.state !== 'draft') throw versionImmutable(row);
      return await change(tx, row);
    });
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'store_row_missing') throw versionNotFound(repo, versionId);
    throw error;
  }
}

export function isExpired({ expiresAt }: Pick<VersionRow, 'expiresAt'>, now: Micros): boolean {
  return expiresAt !== null && expiresAt <= now;
}
