import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type VersionId } from '../../../contract/ids.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { Registry } from '../registry.ts';
import type { VersionRow } from '../version-row.ts';
import { isExpired, withVersion } from './change-draft.ts';
import { removeDraftRows, removeEmptyPackage } from './remove-draft.ts';

/** Read at a time; each draft is a transaction of its own, so nobody waits for more than one. */
const page = 200;

export interface ExpiryReport {
  readonly removed: readonly VersionId[];
  /** Left for the next sweep: somebody kept their package locked. */
  readonly busy: readonly VersionId[];
}

/**
 * Removes every draft whose time is over. Safe beside everything else: each is looked at again once its package is locked,
 * so one that was published or deleted meanwhile is left alone. Stops between two drafts when aborted.
 */
export async function removeExpiredDrafts(
  registry: Registry,
  by = 'waybill',
  signal?: AbortSignal,
): Promise<ExpiryReport> {
  const removed: VersionId[] = [];
  const busy: VersionId[] = [];
  for (let after = ''; ; ) {
    const found = await expiredAfter(registry, after);
    for (const { repo, versionId } of found) {
      if (signal?.aborted === true) return { removed, busy };
      const outcome = await removeIfExpired(registry, repo, versionId, by);
      if (outcome === 'removed') removed.push(versionId);
      if (outcome === 'busy') busy.push(versionId);
    }
    const last = found.at(-1);
    if (last === undefined || found.length < page) return { removed, busy };
    after = last.versionId;
  }
}

async function expiredAfter({ store, clock }: Registry, after: string) {
  const now = clock.now();
  const rows = await store.read(({ db }) =>
    db
      .selectFrom('version')
      .select(['id', 'repo'])
      .where('state', '=', 'draft')
      .where('expires_at', '<=', now)
      .where('id', '>', after)
      .orderBy('id')
      .limit(page)
      .execute(),
  );
  return rows.map(({ id, repo }) => ({ repo, versionId: parseId('version', id) }));
}

async function removeIfExpired(registry: Registry, repo: string, versionId: VersionId, by: string) {
  try {
    return await withVersion(registry, { repo, versionId }, async (tx, draft) => {
      const now = registry.clock.now();
      if (!isExpired(draft, now)) return 'left' as const;
      await commit(tx, {
        change: async () => {
          await removeDraftRows(tx, draft);
          await removeEmptyPackage(tx, draft.packageId);
        },
        audit: [expiryRecord(draft, now, by)],
      });
      return 'removed' as const;
    });
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    if (error.code === 'version_not_found' || error.code === 'version_immutable') return 'left' as const;
    if (error.code === 'transaction_lock_timeout' || error.code === 'store_busy') return 'busy' as const;
    throw error;
  }
}

export function expiryRecord({ versionId, repo, coordinate }: VersionRow, at: number, by: string) {
  return {
    at,
    actor: by,
    action: 'package.version.draft.expired',
    resource: versionId,
    outcome: 'succeeded',
    details: { repo, coordinate: formatCoordinate(coordinate) },
  } as const;
}
