import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, parseId, type VersionId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { LockedTx, ReadTx } from '../../../platform/store/store.ts';
import { gateStandings } from '../../gates/gate-standings.ts';
import { publishRefusals } from '../policy/publish-refusals.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { versionNotFound } from '../version-not-found.ts';
import { readVersionRow, type VersionRow } from '../version-row.ts';
import { checkGates, glanceAt, lookAtDraft, missingBytes } from './before-publish.ts';
import { assertGatesGreen, versionConflict, versionTombstoned } from './guards.ts';
import { type SignedAttestation, writePublished } from './write-published.ts';

export interface PublishRequest {
  readonly repo: string;
  readonly versionId: VersionId;
  /** What the version must be: another digest is refused, whether it is published already or still a draft. */
  readonly expectedDigest?: Digest;
  /** Signed for `expectedDigest`, and stored in the same transaction. */
  readonly attestation?: SignedAttestation;
}

export interface PublishedVersion {
  readonly versionId: VersionId;
  readonly digest: Digest;
  /** True when it was published before: nothing was done, no event was told. */
  readonly idempotent: boolean;
  readonly publishedAt: number;
  readonly publishedBy: string;
}

/**
 * Publishes a draft in one transaction: lock, guards, state, outbox event, audit record; all of it, or nothing but the
 * audit record of the attempt. Of many at once one publishes, the others are told it is published.
 * @throws WaybillError of the guard that refused (`version_not_found`, `version_tombstoned`, `version_conflict`,
 * `draft_expired`, `draft_empty`, `blob_not_found`, `blob_unavailable`, `manifest_missing`, `manifest_invalid`,
 * `policy_refused`, `gates_not_green`), or `store_*`
 */
export async function publishVersion(
  registry: Registry,
  request: PublishRequest,
  by: string,
): Promise<PublishedVersion> {
  const { repo, versionId, expectedDigest = null } = request;
  const act = {
    action: 'package.version.published',
    otherwise: { refused: 'package.version.publish.refused', failed: 'package.version.publish.failed' },
    resource: versionId,
    by,
    details: { repo, expectedDigest },
  } as const;
  return await recordingRefusal(registry, act, () => publish(registry, request, by));
}

async function publish(registry: Registry, request: PublishRequest, by: string): Promise<PublishedVersion> {
  const { store } = registry;
  const { packageId, state, blobs } = await glanceAt(registry, request);
  if (state !== 'draft')
    return await store.read(async (tx) => publishedBefore(await rowOf(registry, tx, request), request));
  // Files and gates take time: they are looked at before the lock, and what they said is held against the draft under it.
  const evidence = await runRequiredGates(registry, request, by);
  const missing = await missingBytes(registry, blobs);
  const published = await underLock(registry, packageId, request, (tx) =>
    publishLocked(registry, tx, { request, by, missing, evidence }),
  );
  if (!published.idempotent) store.hints.announce('outbox');
  return published;
}

/** @throws WaybillError `version_not_found` */
async function rowOf(
  { store }: Registry,
  tx: Pick<ReadTx, 'db'>,
  { repo, versionId }: PublishRequest,
  lock = false,
): Promise<VersionRow> {
  const row = await readVersionRow(tx, repo, versionId, lock && store.engine === 'postgres');
  if (row === undefined) throw versionNotFound(repo, versionId);
  return row;
}

/** Runs what is required of this version, as it is now. @returns the ids of the evidence */
async function runRequiredGates(registry: Registry, request: PublishRequest, by: string): Promise<readonly string[]> {
  if (registry.settings.gates.length === 0) return [];
  const looked = await registry.store.read(async (tx) => {
    const row = await rowOf(registry, tx, request);
    return row.state === 'draft' ? { row, found: await lookAtDraft(registry, tx, row) } : null;
  });
  return looked === null ? [] : await checkGates(registry, looked.row, looked.found, by);
}

/** The package goes with its last draft: whoever waited for its lock then finds nothing. */
async function underLock<T>(
  { store }: Registry,
  packageId: string,
  { repo, versionId }: PublishRequest,
  scope: (tx: LockedTx) => Promise<T>,
): Promise<T> {
  try {
    return await store.locked({ table: 'package', key: { id: packageId } }, scope);
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'store_row_missing') throw versionNotFound(repo, versionId);
    throw error;
  }
}

interface Attempt {
  readonly request: PublishRequest;
  readonly by: string;
  /** Blobs whose bytes were not in the store a moment ago. */
  readonly missing: ReadonlySet<Digest>;
  /** What the gates found a moment ago. */
  readonly evidence: readonly string[];
}

async function publishLocked(
  registry: Registry,
  tx: LockedTx,
  { request, by, missing, evidence }: Attempt,
): Promise<PublishedVersion> {
  const { repo, versionId, expectedDigest } = request;
  const row = await rowOf(registry, tx, request, true);
  if (row.state !== 'draft') return publishedBefore(row, request);
  const found = await lookAtDraft(registry, tx, row, missing);
  if (expectedDigest !== undefined && found.digest !== expectedDigest) {
    throw versionConflict(row, expectedDigest, found.digest);
  }
  const { gates } = registry.settings;
  const standings = await gateStandings(tx, gates, registry.gates, found.digest, evidence);
  assertGatesGreen(standings);
  const attestation = request.attestation ?? null;
  const { coordinate, digest, entries, manifest } = found;
  const subject = {
    repo,
    versionId,
    coordinate,
    digest,
    entries,
    manifest,
    run: row.run,
    attested: attestation !== null,
  };
  const hits = await publishRefusals(registry, tx, subject);
  const at = registry.clock.now();
  await writePublished(tx, { row, found, standings, hits, attestation, at, by });
  return { versionId, digest: found.digest, idempotent: false, publishedAt: at, publishedBy: by };
}

/** @throws WaybillError `version_tombstoned`, or `version_conflict` with both digests */
function publishedBefore(row: VersionRow, { expectedDigest }: PublishRequest): PublishedVersion {
  const { versionId, state, digest, publishedAt, publishedBy } = row;
  if (state === 'tombstoned') throw versionTombstoned(row);
  if (digest === null || publishedAt === null || publishedBy === null) {
    throw new WaybillError('store_corrupt', `${versionId} is published without a digest`, {
      hint: 'Run `waybill fsck`, and restore the store from a backup.',
      details: { versionId },
    });
  }
  if (expectedDigest !== undefined && expectedDigest !== digest) throw versionConflict(row, expectedDigest, digest);
  return {
    versionId: parseId('version', versionId),
    digest: parseDigest(digest),
    idempotent: true,
    publishedAt,
    publishedBy,
  };
}
