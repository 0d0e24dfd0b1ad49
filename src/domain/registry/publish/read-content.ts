import type { VersionId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Entry, ManifestBytes } from '../package-types/package-type.ts';

/** An entry, and whether its repo holds its blob. */
export interface HeldEntry extends Entry {
  readonly held: boolean;
}

/** The entries of a version in the order of their paths. */
export async function readEntries(
  { db }: Pick<ReadTx, 'db'>,
  repo: string,
  versionId: VersionId,
): Promise<readonly HeldEntry[]> {
  const rows = await db
    .selectFrom('version_entry as entry')
    .leftJoin('repo_blob as blob', (join) =>
      join.onRef('blob.digest', '=', 'entry.digest').onRef('blob.size', '=', 'entry.size').on('blob.repo', '=', repo),
    )
    .select(['entry.path', 'entry.digest', 'entry.size', 'entry.media_type', 'blob.repo'])
    .where('entry.version', '=', versionId)
    .orderBy('entry.path')
    .execute();
  return rows.map(({ path, digest, size, media_type, repo: holder }) => ({
    path,
    digest: parseDigest(digest),
    size,
    mediaType: media_type,
    held: holder !== null,
  }));
}

/** The manifest of a version, as it came. */
export async function readManifest({ db }: Pick<ReadTx, 'db'>, versionId: VersionId) {
  const row = await db
    .selectFrom('version_manifest')
    .select(['media_type', 'body', 'digest', 'size'])
    .where('version', '=', versionId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const bytes: ManifestBytes = { mediaType: row.media_type, body: row.body };
  return { bytes, facts: { digest: parseDigest(row.digest), size: row.size, mediaType: row.media_type } };
}
