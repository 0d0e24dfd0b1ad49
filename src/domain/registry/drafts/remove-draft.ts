import { commit } from '../../../platform/journal/commit.ts';
import type { LockedTx } from '../../../platform/store/store.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import type { VersionRow } from '../version-row.ts';
import { withVersion } from './change-draft.ts';

/** Takes a draft out of the tables; its coordinate is free again. The lock is on its package, whose row may go with it. */
export async function removeDraftRows(
  { db }: LockedTx,
  { versionId, packageId }: Pick<VersionRow, 'versionId' | 'packageId'>,
): Promise<void> {
  await db.deleteFrom('version_entry').where('version', '=', versionId).execute();
  await db.deleteFrom('version_manifest').where('version', '=', versionId).execute();
  await db.deleteFrom('version_attestation').where('version', '=', versionId).execute();
  await db.deleteFrom('version').where('id', '=', versionId).where('package', '=', packageId).execute();
}

/** A package of which nothing was ever published, and of which no draft is left, was never there. */
export async function removeEmptyPackage({ db }: LockedTx, packageId: string): Promise<void> {
  await db
    .deleteFrom('package')
    .where('id', '=', packageId)
    .where('events', '=', 0)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('version').select('version.id').where('version.package', '=', packageId))),
    )
    .execute();
}

/**
 * Deletes a draft with its entries and its manifest, expired or not. Its blobs stay until they are collected.
 * @throws WaybillError `version_not_found`, `version_immutable`
 */
export function deleteDraft(
  registry: Registry,
  request: { readonly repo: string; readonly versionId: string },
  by: string,
): Promise<VersionRow> {
  const action = 'package.version.draft.deleted' as const;
  const { repo, versionId } = request;
  return recordingRefusal(registry, { action, resource: versionId, by, details: { repo } }, () =>
    withVersion(registry, request, async (tx, draft) => {
      await commit(tx, {
        change: async () => {
          await removeDraftRows(tx, draft);
          await removeEmptyPackage(tx, draft.packageId);
        },
        audit: [
          {
            at: registry.clock.now(),
            actor: by,
            action,
            resource: versionId,
            outcome: 'succeeded',
            details: { repo, coordinate: formatCoordinate(draft.coordinate) },
          },
        ],
      });
      return draft;
    }),
  );
}
