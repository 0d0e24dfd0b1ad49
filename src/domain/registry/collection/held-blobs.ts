import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Digest } from '../../../contract/ids.ts';
import type { Database, ReadTx } from '../../../platform/store/store.ts';
import type { GarbageLimits } from './garbage-limits.ts';

/** Digests asked for in one query. */
const most = 500;

/** True for a row of `repo_blob` that a draft, a published version or one tombstoned not long ago has as an entry. */
export function hasVersion(
  where: ExpressionBuilder<Database, 'repo_blob'>,
  { tombstonedSince }: GarbageLimits,
): Expression<SqlBool> {
  return where.exists(
    where
      .selectFrom('version_entry')
      .innerJoin('version', 'version.id', 'version_entry.version')
      .select('version_entry.path')
      .whereRef('version_entry.digest', '=', 'repo_blob.digest')
      .whereRef('version.repo', '=', 'repo_blob.repo')
      .where((each) =>
        each.or([each('version.state', '<>', 'tombstoned'), each('version.tombstoned_at', '>=', tombstonedSince)]),
      ),
  );
}

/**
 * Those of the digests that the registry keeps: readable in a repo, or a file of a version. The second says nothing new
 * while rows are as they should be; where one was lost, its bytes are not lost with it.
 * @param asIfCollected leaves out the rows that would be removed. Only to foretell: when rows are really removed, one
 * that is left is in use by somebody whose commit we cannot see yet.
 */
export async function heldBlobs(
  tx: ReadTx,
  digests: readonly Digest[],
  limits: GarbageLimits,
  asIfCollected: boolean,
): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  for (let at = 0; at < digests.length; at += most) {
    const asked = digests.slice(at, at + most);
    const rows = await tx.db
      .selectFrom('repo_blob')
      .select('digest')
      .where('digest', 'in', asked)
      .$if(asIfCollected, (query) =>
        query.where((where) => where.or([where('added_at', '>=', limits.untouchedSince), hasVersion(where, limits)])),
      )
      .execute();
    const entries = await tx.db
      .selectFrom('version_entry')
      .innerJoin('version', 'version.id', 'version_entry.version')
      .select('version_entry.digest')
      .where('version_entry.digest', 'in', asked)
      .where((each) =>
        each.or([
          each('version.state', '<>', 'tombstoned'),
          each('version.tombstoned_at', '>=', limits.tombstonedSince),
        ]),
      )
      .execute();
    for (const { digest } of [...rows, ...entries]) held.add(digest);
  }
  return held;
}
