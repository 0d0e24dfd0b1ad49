import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest, RunId } from '../../../contract/ids.ts';
import { DigestStream } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { assertNumbers } from '../../../platform/store/unreadable-number.ts';
import type { EvidenceSource } from '../../runs/evidence/evidence-source.ts';
import { storeSource } from '../../runs/evidence/store-source.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { BrokenRelease } from './release-link.ts';
import type { ReleaseContent, ReleaseSource } from './release-source.ts';
import { checkRecords } from './store-records.ts';
import { unreadableIsBroken } from './unreadable-is-broken.ts';

/**
 * A version as the store and the blobs hold it.
 * @throws WaybillError `version_not_found`, also for one that is not published; `store_corrupt` when it cannot be read
 */
export async function storeRelease(registry: Registry, repo: string, coordinate: Coordinate): Promise<ReleaseSource> {
  const content = await readContent(registry, repo, coordinate);
  return {
    content,
    publicKey: null,
    measure: (digest) => measureBlob(registry, digest),
    checkRecords: () => unreadableIsBroken(checkRecords(registry, content)),
    openRun: (run) => openRun(registry, run),
  };
}

async function readContent({ store }: Registry, repo: string, coordinate: Coordinate): Promise<ReleaseContent> {
  const { type, name, version } = coordinate;
  return await store.read(async (tx) => {
    const row = await tx.db
      .selectFrom('version')
      .innerJoin('package', 'package.id', 'version.package')
      .select(['version.id', 'version.state'])
      .where('package.repo', '=', repo)
      .where('package.type', '=', type)
      .where('package.name', '=', name)
      .where('version.version', '=', version)
      .executeTakeFirst();
    if (row === undefined || row.state === 'draft') throw notPublished(repo, coordinate, row?.id);
    return await contentOf(tx, row.id, { repo, coordinate });
  });
}

/** What the store holds of one version, under the name it was found by. @throws WaybillError `store_corrupt` */
export async function contentOf(
  { db }: ReadTx,
  id: string,
  { repo, coordinate }: { readonly repo: string; readonly coordinate: Coordinate },
): Promise<ReleaseContent> {
  const row = await db.selectFrom('version').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const entries = await db
    .selectFrom('version_entry')
    .select(['path', 'digest', 'size', 'media_type'])
    .where('version', '=', row.id)
    .orderBy('path')
    .execute();
  const manifest = await db.selectFrom('version_manifest').selectAll().where('version', '=', row.id).executeTakeFirst();
  const attestation = await db
    .selectFrom('version_attestation')
    .selectAll()
    .where('version', '=', row.id)
    .executeTakeFirst();
  assertNumbers('version', [row]);
  assertNumbers('version_entry', entries);
  if (manifest !== undefined) assertNumbers('version_manifest', [manifest]);
  return {
    versionId: row.id,
    repo,
    coordinate,
    state: row.state,
    digest: row.digest,
    run: row.run,
    publishedAt: row.published_at,
    publishedBy: row.published_by,
    entries: entries.map(({ media_type, ...entry }) => ({ ...entry, mediaType: media_type })),
    manifest:
      manifest === undefined
        ? null
        : {
            mediaType: manifest.media_type,
            body: manifest.body,
            digest: manifest.digest,
            size: manifest.size,
          },
    attestation:
      attestation === undefined
        ? null
        : { envelope: attestation.envelope, keyId: attestation.key_id, digest: attestation.digest },
  };
}

function notPublished(repo: string, { type, name, version }: Coordinate, draft: string | undefined): WaybillError {
  const what = draft === undefined ? 'there is no version' : 'not published yet, only a draft, is';
  return new WaybillError('version_not_found', `${what} ${type}:${name}@${version} in the repo ${repo}`, {
    hint: draft === undefined ? `List what there is with: waybill packages --repo ${repo}` : 'Publish it first.',
    details: { repo, type, name, version },
  });
}

async function measureBlob(
  { blobs }: Registry,
  digest: Digest,
): Promise<{ readonly digest: string; readonly size: number } | 'missing'> {
  try {
    await using blob = await blobs.open(digest);
    const stream = new DigestStream();
    let size = 0;
    for await (const part of blob.stream()) {
      const bytes = bytesPart.parse(part);
      stream.update(bytes);
      size += bytes.length;
    }
    return { digest: stream.finish(), size };
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'blob_missing') return 'missing';
    throw error;
  }
}

const bytesPart = z.instanceof(Uint8Array);

async function openRun(registry: Registry, run: RunId): Promise<EvidenceSource> {
  try {
    return await storeSource(registry, run);
  } catch (error) {
    if (!(error instanceof WaybillError) || !['run_not_found', 'run_removed'].includes(error.code)) throw error;
    throw new BrokenRelease('run', run, 'the evidence of the run', error.message);
  }
}
