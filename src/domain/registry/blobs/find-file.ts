import { WaybillError } from '../../../contract/errors.ts';
import { parseId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { assertMayDownload } from '../policy/assert-may-download.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { ReadableBlob } from './find-blob.ts';

/** A file of a published version. */
export interface PublishedFile extends ReadableBlob {
  /** Null when nothing was said of it. */
  readonly mediaType: string | null;
}

/**
 * A file by coordinate and path, when it may be downloaded: found and judged in one look.
 * @throws WaybillError `repo_not_found`, `version_not_found` (a draft too), `version_tombstoned`, `version_quarantined`,
 * `entry_not_found`
 */
export function findFile(
  { store }: Pick<Registry, 'store'>,
  { repo, coordinate, path }: { readonly repo: string; readonly coordinate: Coordinate; readonly path: string },
): Promise<PublishedFile> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const version = await tx.db
      .selectFrom('package')
      .innerJoin('version', 'version.package', 'package.id')
      .select(['version.id', 'version.state'])
      .where('package.repo', '=', repo)
      .where('package.type', '=', coordinate.type)
      .where('package.name', '=', coordinate.name)
      .where('version.version', '=', coordinate.version)
      .executeTakeFirst();
    if (version === undefined || version.state === 'draft') throw notPublished(repo, coordinate);
    await assertMayDownload(tx, parseId('version', version.id));
    const entry = await tx.db
      .selectFrom('version_entry')
      .select(['digest', 'size', 'media_type'])
      .where('version', '=', version.id)
      .where('path', '=', path)
      .executeTakeFirst();
    if (entry === undefined) throw noSuchFile(coordinate, path);
    return { digest: parseDigest(entry.digest), size: entry.size, mediaType: entry.media_type };
  });
}

function notPublished(repo: string, coordinate: Coordinate): WaybillError {
  const named = formatCoordinate(coordinate).slice(0, 300);
  return new WaybillError('version_not_found', `${named} is not published in the repo ${repo}`, {
    hint: `List what there is with: waybill packages --repo ${repo}`,
  });
}

function noSuchFile(coordinate: Coordinate, path: string): WaybillError {
  return new WaybillError('entry_not_found', `${formatCoordinate(coordinate)} has no file ${path.slice(0, 300)}`, {
    hint: 'Show the version: it lists its files. Case counts.',
  });
}
