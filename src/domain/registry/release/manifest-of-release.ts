import { WaybillError } from '../../../contract/errors.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { AttestedVersion } from '../attestation/build-statement.ts';
import type { ProvenRun } from '../attestation/run-evidence.ts';
import { mostManifestBytes } from '../manifests/most-manifest-bytes.ts';
import type { Registry } from '../registry.ts';
import { buildReleaseManifest, runType } from './build-manifest.ts';

/** Where types that describe themselves in a file of theirs have it. */
const usualPaths: Readonly<Record<string, string>> = { npm: 'package.json', 'oci-image': 'manifest.json' };

/**
 * The manifest of a version a run made: what we know of the run, or, for types with manifests of their own, the bytes of
 * one of its files.
 * @param path which file; the usual one of the type unless given
 * @throws WaybillError `manifest_missing` when there is no such file, `blob_missing`
 */
export async function manifestOfRelease(
  { blobs }: Registry,
  version: Pick<AttestedVersion, 'coordinate' | 'entries'>,
  run: ProvenRun,
  path: string | null,
): Promise<Uint8Array> {
  const { type } = version.coordinate;
  const wanted = path ?? usualPaths[type] ?? null;
  if (wanted === null || (path === null && type === runType)) {
    return Buffer.from(canonicalJson(buildReleaseManifest(version, run)));
  }
  const entry = version.entries.find((each) => each.path === wanted);
  if (entry !== undefined && entry.size <= mostManifestBytes) return await blobs.get(entry.digest);
  const why = entry === undefined ? 'is none of the files' : `has more than ${mostManifestBytes} bytes`;
  throw new WaybillError(
    'manifest_missing',
    `a version of the type ${type} has its manifest in ${wanted}, which ${why}`,
    {
      hint: 'Let the run make it, or name another of its files with --manifest.',
      details: { path: wanted },
    },
  );
}
