import { parseId, type VersionId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { PackageRow } from '../packages/resolve-package.ts';

/** A name that points to a published version. */
export interface Tag {
  readonly tag: string;
  readonly versionId: VersionId;
  readonly version: string;
  readonly updatedAt: Micros;
  readonly updatedBy: string;
  /** True for `latest` while nobody has set it: it is the version that was published last. */
  readonly automatic: boolean;
}

/** The tag nobody needs to set. */
export const latestTag = 'latest';

/**
 * Where a tag of a package points; null when there is no such tag. `latest` is the version that was published last,
 * whatever its number, unless somebody has set that tag.
 */
export async function resolveTag(
  tx: Pick<ReadTx, 'db'>,
  { id }: Pick<PackageRow, 'id'>,
  tag: string,
): Promise<Tag | null> {
  const row = await tx.db
    .selectFrom('tag')
    .innerJoin('version', 'version.id', 'tag.version')
    .select(['version.id', 'version.version', 'tag.updated_at', 'tag.updated_by'])
    .where('tag.package', '=', id)
    .where('tag.tag', '=', tag)
    .executeTakeFirst();
  if (row !== undefined) {
    return {
      tag,
      versionId: parseId('version', row.id),
      version: row.version,
      updatedAt: row.updated_at,
      updatedBy: row.updated_by,
      automatic: false,
    };
  }
  return tag === latestTag ? await newestPublished(tx, id) : null;
}

async function newestPublished({ db }: Pick<ReadTx, 'db'>, packageId: string): Promise<Tag | null> {
  const row = await db
    .selectFrom('version')
    .select(['id', 'version', 'published_at', 'published_by'])
    .where('package', '=', packageId)
    .where('state', '=', 'published')
    .orderBy('published_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined || row.published_at === null || row.published_by === null) return null;
  return {
    tag: latestTag,
    versionId: parseId('version', row.id),
    version: row.version,
    updatedAt: row.published_at,
    updatedBy: row.published_by,
    automatic: true,
  };
}
