import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, isId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { ManifestBytes } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { versionNotFound } from '../version-not-found.ts';

/**
 * The manifest of a version in any state, as it came: what a version says of itself stays readable when its files do not.
 * @throws WaybillError `version_not_found`, `manifest_not_found`
 */
export async function getManifest(
  { store }: Pick<Registry, 'store'>,
  { repo, versionId }: { readonly repo: string; readonly versionId: string },
): Promise<ManifestBytes & { readonly digest: Digest }> {
  if (!isId('version', versionId)) throw versionNotFound(repo, versionId);
  const row = await store.read(({ db }) =>
    db
      .selectFrom('version')
      .leftJoin('version_manifest as manifest', 'manifest.version', 'version.id')
      .select(['manifest.media_type as mediaType', 'manifest.body', 'manifest.digest'])
      .where('version.id', '=', versionId)
      .where('version.repo', '=', repo)
      .executeTakeFirst(),
  );
  if (row === undefined) throw versionNotFound(repo, versionId);
  const { mediaType, body, digest } = row;
  if (mediaType !== null && body !== null && digest !== null) return { mediaType, body, digest: parseDigest(digest) };
  throw new WaybillError('manifest_not_found', `${versionId} has no manifest`, {
    hint: 'It is a draft: put one before it is published.',
    details: { versionId },
  });
}
