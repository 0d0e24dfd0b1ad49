import { parseId, type RunId, type VersionId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Coordinate, Entry, ManifestBytes } from '../package-types/package-type.ts';
import type { VersionState } from '../states.ts';

/** A version's row, with that of its package. */
export interface VersionRow {
  readonly versionId: VersionId;
  readonly packageId: string;
  readonly repo: string;
  readonly coordinate: Coordinate;
  readonly state: VersionState;
  /** Null while it is a draft. */
  readonly digest: string | null;
  readonly run: RunId | null;
  readonly expiresAt: number | null;
  readonly publishedAt: number | null;
  readonly publishedBy: string | null;
  /** How many events its package has told so far. */
  readonly events: number;
}

/** A version of this repo; undefined when there is none. `lock` keeps its row until the transaction ends. */
export async function readVersionRow(
  { db }: Pick<ReadTx, 'db'>,
  repo: string,
  versionId: VersionId,
  lock: boolean,
): Promise<VersionRow | undefined> {
  const query = db
    .selectFrom('version')
    .innerJoin('package', 'package.id', 'version.package')
    .select([
      'version.package as packageId',
      'version.version',
      'version.state',
      'version.digest',
      'version.run',
      'version.expires_at as expiresAt',
      'version.published_at as publishedAt',
      'version.published_by as publishedBy',
      'package.type',
      'package.name',
      'package.events',
    ])
    .where('version.id', '=', versionId)
    .where('version.repo', '=', repo);
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  if (row === undefined) return undefined;
  const { type, name, version, run, ...rest } = row;
  return {
    ...rest,
    versionId,
    repo,
    coordinate: { type, name, version },
    run: run === null ? null : parseId('run', run),
  };
}

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
