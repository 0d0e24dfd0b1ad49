import type { Digest } from '../../../contract/ids.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { Coordinate, Entry } from '../package-types/package-type.ts';

/** All that a version is, whichever repo it lies in. */
export interface VersionContent {
  readonly coordinate: Coordinate;
  readonly manifest: { readonly digest: Digest; readonly size: number; readonly mediaType: string };
  readonly entries: readonly Entry[];
}

/** The digest of a version: SHA-256 of the RFC 8785 form of its coordinate, manifest and entries in the order of their paths. */
export function versionDigest({ coordinate, manifest, entries }: VersionContent): Digest {
  const { type, name, version } = coordinate;
  return digestOf(
    canonicalJson({
      schema: 'waybill.version.v1',
      type,
      name,
      version,
      manifest: { digest: manifest.digest, size: manifest.size, mediaType: manifest.mediaType },
      entries: entries
        .toSorted((a, b) => (a.path < b.path ? -1 : 1))
        .map(({ path, digest, size, mediaType }) => ({ path, digest, size, mediaType })),
    }),
  );
}
