import { dirname } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import { isId, type RunId } from '../../../contract/ids.ts';
import type { ReleaseBundle } from '../../../contract/release-bundle.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { sweepTemporaryFiles, writeFileDurably } from '../../../platform/files/write-file-durably.ts';
import { exportBundle, type WrittenBundle } from '../../runs/evidence/bundle.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { assertMayDownload } from '../policy/assert-may-download.ts';
import type { ReleaseContent } from '../verify/release-source.ts';
import { storeRelease } from '../verify/store-release.ts';
import { findCoordinate } from './find-coordinate.ts';
import { type ReleaseMembers, releaseBundleDigest, releaseBundleText } from './release-bundle-text.ts';
import type { Releases } from './releases.ts';

/** A text longer than this cannot be made in one piece; base64 makes three bytes four. */
const mostBlobBytes = 256 << 20;

/**
 * Writes a published version with all that is needed to verify it elsewhere to a file, durable when it resolves.
 * @throws WaybillError `version_not_found`, `version_quarantined`, `version_tombstoned`, `blob_missing`, `blob_corrupt`,
 * `bundle_too_large`, `file_write_failed`
 */
export async function exportRelease(
  releases: Releases,
  { repo, coordinate, out }: { readonly repo: string; readonly coordinate: Coordinate; readonly out: string },
): Promise<WrittenBundle> {
  const bytes = Buffer.from(releaseBundleText(await releaseBundle(releases, repo, coordinate)));
  // An export that was killed left its half behind, where nothing else of ours would ever look for it.
  await sweepTemporaryFiles(dirname(out));
  await writeFileDurably(out, bytes);
  return { bytes: bytes.length, digest: digestOf(bytes) };
}

async function releaseBundle(releases: Releases, repo: string, coordinate: Coordinate): Promise<ReleaseMembers> {
  const { registry, signing, version } = releases;
  const { content } = await storeRelease(registry, repo, coordinate);
  const there = await findCoordinate(registry, repo, coordinate);
  if (there !== null) await registry.store.read((tx) => assertMayDownload(tx, there.versionId));
  const { clock } = registry;
  const run = isId('run', content.run) ? await exportRun(releases, content.run) : null;
  const pinned = await signing.pinned();
  const bundle = {
    schema: 'waybill.release-bundle.v1' as const,
    createdAt: formatTime(clock.now()),
    createdBy: `waybill ${version}`,
    ...describedIn(content),
    publicKey: pinned !== null && pinned.keyId === content.attestation?.keyId ? pinned.pem : null,
    blobs: await readBlobs(releases, content, new Set(Object.keys(run?.blobs ?? {}))),
    run,
  };
  return { ...bundle, digest: releaseBundleDigest(bundle) };
}

function exportRun({ registry, version }: Releases, run: RunId): Promise<NonNullable<ReleaseBundle['run']>> {
  return exportBundle({ ...registry, versions: { waybill: version } }, run);
}

function describedIn(
  content: ReleaseContent,
): Pick<ReleaseMembers, 'version' | 'manifest' | 'entries' | 'attestation'> {
  const { versionId, repo, coordinate, digest, run, publishedAt, publishedBy, manifest, entries, attestation } =
    content;
  if (digest === null || publishedAt === null || publishedBy === null || manifest === null) {
    throw new WaybillError('store_corrupt', `${versionId} is published, and a part of it is missing`, {
      hint: 'Find which with `waybill verify`, and restore the store from a backup.',
      details: { versionId },
    });
  }
  return {
    version: { versionId, repo, ...coordinate, digest, run, publishedAt: formatTime(publishedAt), publishedBy },
    manifest: {
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      size: manifest.size,
      body: Buffer.from(manifest.body).toString('base64'),
    },
    entries: [...entries],
    attestation,
  };
}

async function readBlobs(
  { registry }: Releases,
  { entries }: ReleaseContent,
  known: ReadonlySet<string>,
): Promise<Record<string, string>> {
  const blobs: Record<string, string> = {};
  let total = 0;
  for (const digest of new Set(entries.map((entry) => entry.digest))) {
    if (known.has(digest) || !isId('digest', digest)) continue;
    const bytes = await registry.blobs.get(digest);
    total += bytes.length;
    if (total > mostBlobBytes) {
      throw new WaybillError('bundle_too_large', `the files of the version have more than ${mostBlobBytes} bytes`, {
        hint: 'Download them one by one, and verify each with `waybill verify FILE` in its workspace.',
        details: { most: mostBlobBytes },
      });
    }
    blobs[digest] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  }
  return blobs;
}
