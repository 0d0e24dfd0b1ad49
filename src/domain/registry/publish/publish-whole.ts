import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, parseId, type VersionId } from '../../../contract/ids.ts';
import { digestOf, parseDigest } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import type { LockedTx, WriteTx } from '../../../platform/store/store.ts';
import { gateStandings } from '../../gates/gate-standings.ts';
import { isExpired } from '../drafts/change-draft.ts';
import { coordinateProblems } from '../drafts/coordinate-problems.ts';
import { invalidDraft } from '../drafts/draft-errors.ts';
import { removeDraftRows } from '../drafts/remove-draft.ts';
import { expiryRecord } from '../drafts/remove-expired-drafts.ts';
import { entryProblems } from '../entries/new-entry.ts';
import { manifestInvalid } from '../manifests/manifest-invalid.ts';
import { manifestProblemsOf } from '../manifests/manifest-problems-of.ts';
import { mostManifestBytes } from '../manifests/most-manifest-bytes.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import { publishRefusals } from '../policy/publish-refusals.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { VersionRow } from '../version-row.ts';
import { checkGates, type Found } from './before-publish.ts';
import { assertGatesGreen, draftInTheWay, versionConflict, versionTombstoned } from './guards.ts';
import { versionDigest } from './version-digest.ts';
import { writePublished } from './write-published.ts';
import { writeWhole } from './write-whole.ts';

/** A version with all that it is: small enough to be in memory. */
export interface WholeVersion extends Coordinate {
  readonly repo: string;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array; readonly mediaType: string | null }[];
  readonly manifest: { readonly mediaType: string | null; readonly bytes: Uint8Array };
}

export interface PublishedWhole {
  readonly versionId: VersionId;
  readonly digest: Digest;
  /** True when exactly this was published before: nothing was done, no event was told. */
  readonly idempotent: boolean;
  readonly publishedAt: number;
}

/** What is known of a whole version before its transaction. */
export interface Whole {
  readonly repo: string;
  readonly found: Found;
  readonly manifestBytes: Uint8Array;
}

/** Others may make, or remove, the same package between one look and the next; no third party does so for ever. */
const mostTries = 5;

/**
 * Publishes a version that has no draft, with its blobs, entries and manifest, in one transaction: all of it, or nothing
 * but the audit record of the attempt (bytes that nothing refers to are collected). The same guards as `publishVersion`.
 * @throws WaybillError `invalid_input`, `manifest_invalid` with every problem; `repo_not_found`, `version_conflict` (the
 * coordinate is published with another digest), `version_tombstoned`, `version_exists` (there is a draft of it),
 * `policy_refused`, `gates_not_green`, or `store_*`, `file_write_failed`
 */
export async function publishWhole(registry: Registry, wanted: WholeVersion, by: string): Promise<PublishedWhole> {
  const whole = checkWhole(registry, wanted);
  const act = {
    action: 'package.version.published',
    otherwise: { refused: 'package.version.publish.refused', failed: 'package.version.publish.failed' },
    resource: formatCoordinate(wanted),
    by,
    details: { repo: wanted.repo, expectedDigest: whole.found.digest },
  } as const;
  return await recordingRefusal(registry, act, async () => {
    await Promise.all(wanted.files.map(({ bytes }) => registry.blobs.put(bytes)));
    const versionId = makeId('version');
    const evidence = await checkGates(registry, newRow(whole, versionId, ''), whole.found, by);
    const published = await inPackage(registry, whole, by, (tx, place) =>
      publishInPackage(registry, tx, { whole, versionId, by, evidence }, place),
    );
    if (!published.idempotent) registry.store.hints.announce('outbox');
    return published;
  });
}

/** @throws WaybillError `invalid_input`, `manifest_invalid` */
function checkWhole(registry: Registry, { repo, files, manifest: given, ...coordinate }: WholeVersion): Whole {
  const { type, name, version } = coordinate;
  const entries = files
    .map(({ path, bytes, mediaType }) => ({ path, digest: digestOf(bytes), size: bytes.length, mediaType }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const { length } = given.bytes;
  if (length > mostManifestBytes) {
    throw new WaybillError('body_too_large', `a manifest has at most ${mostManifestBytes} bytes, not ${length}`);
  }
  const empty = files.length === 0 ? [{ path: 'files', message: 'must have at least one file' }] : [];
  const problems = [
    ...coordinateProblems(registry, coordinate),
    ...empty,
    ...entryProblems(files.map(({ path, bytes }) => ({ path, digest: digestOf(bytes), size: bytes.length }))).map(
      ({ path, message }) => ({ path: path.replace(/^entries/, 'files'), message }),
    ),
  ];
  if (problems.length > 0) throw invalidDraft(problems);
  const mediaType = given.mediaType ?? registry.types.get(type)?.mediaTypes[0] ?? 'application/octet-stream';
  const wrong = manifestProblemsOf(
    registry,
    { mediaType, body: given.bytes },
    { coordinate: { type, name, version }, run: null, entries },
  );
  if (wrong.length > 0) throw manifestInvalid(wrong);
  const facts = { digest: digestOf(given.bytes), size: length, mediaType };
  const content = { coordinate: { type, name, version }, entries, manifest: facts };
  return { repo, manifestBytes: given.bytes, found: { ...content, digest: versionDigest(content) } };
}

/** The package a version is published in: it is locked, or was made in this transaction and nobody else sees it. */
interface Place {
  readonly packageId: string;
  readonly events: number;
  /** What has this coordinate already: it is there only where the package was, and that is locked. */
  readonly there: { readonly version: VersionRow; readonly locked: LockedTx } | undefined;
}

async function inPackage<T>(
  registry: Registry,
  { repo, found: { coordinate } }: Whole,
  by: string,
  work: (tx: WriteTx, place: Place) => Promise<T>,
): Promise<T> {
  const { type, name } = coordinate;
  for (let tries = 1; ; tries++) {
    try {
      return await registry.store.locked({ table: 'package', key: { repo, type, name } }, async (tx) =>
        work(tx, await placeIn(tx, repo, coordinate)),
      );
    } catch (error) {
      if (!hasCode(error, 'store_row_missing')) throw error;
    }
    try {
      return await registry.store.write(async (tx) => {
        await requireRepo(tx, repo);
        const packageId = makeId('package');
        const made = { created_at: registry.clock.now(), created_by: by };
        await tx.db
          .insertInto('package')
          .values({ id: packageId, repo, type, name, events: 0, ...made })
          .execute();
        return await work(tx, { packageId, events: 0, there: undefined });
      });
    } catch (error) {
      // Another transaction made the package between our look and our insert.
      const clash = hasCode(error, 'store_constraint') || hasCode(error, 'store_immutable');
      if (!clash || tries === mostTries) throw error;
    }
  }
}

/** One query for the package, which is locked, and the version of this coordinate, which may be there. */
async function placeIn(tx: LockedTx, repo: string, { type, name, version }: Coordinate): Promise<Place> {
  const row = await tx.db
    .selectFrom('package')
    .leftJoin('version', (join) => join.onRef('version.package', '=', 'package.id').on('version.version', '=', version))
    .select([
      'package.id as packageId',
      'package.events',
      'version.id',
      'version.state',
      'version.digest',
      'version.expires_at as expiresAt',
      'version.published_at as publishedAt',
      'version.published_by as publishedBy',
    ])
    .where('package.repo', '=', repo)
    .where('package.type', '=', type)
    .where('package.name', '=', name)
    .executeTakeFirstOrThrow();
  const { packageId, events, id, state, digest, expiresAt, publishedAt, publishedBy } = row;
  if (id === null || state === null) return { packageId, events, there: undefined };
  const versionId = parseId('version', id);
  const known = { versionId, packageId, repo, coordinate: { type, name, version }, run: null, events };
  const there = { ...known, state, digest, expiresAt, publishedAt, publishedBy };
  return { packageId, events, there: { version: there, locked: tx } };
}

interface Attempt {
  readonly whole: Whole;
  readonly versionId: VersionId;
  readonly by: string;
  /** What the gates found a moment ago. */
  readonly evidence: readonly string[];
}

async function publishInPackage(
  registry: Registry,
  tx: WriteTx,
  { whole, versionId, by, evidence }: Attempt,
  { packageId, events, there }: Place,
): Promise<PublishedWhole> {
  const { repo, found } = whole;
  const at = registry.clock.now();
  // As when a draft is made: one whose time is over makes place.
  const before: AuditRecord[] = [];
  if (there !== undefined) {
    const { version, locked } = there;
    if (version.state !== 'draft' || !isExpired(version, at)) return publishedBefore(version, found);
    await removeDraftRows(locked, version);
    before.push(expiryRecord(version, at, by));
  }
  const standings = await gateStandings(tx, registry.settings.gates, registry.gates, found.digest, evidence);
  assertGatesGreen(standings);
  const row = { ...newRow(whole, versionId, packageId), events };
  await writeWhole(tx, { row, whole, before, at, by });
  const hits = await publishRefusals(registry, tx, { repo, versionId, ...found, run: null, attested: false });
  await writePublished(tx, { row, found, standings, hits, attestation: null, at, by });
  return { versionId, digest: found.digest, idempotent: false, publishedAt: at };
}

/** @throws WaybillError `version_tombstoned`, `version_conflict` with both digests, `version_exists` for a draft */
function publishedBefore(there: VersionRow, { digest }: Found): PublishedWhole {
  const { versionId, state, publishedAt } = there;
  if (state === 'tombstoned') throw versionTombstoned(there);
  if (state === 'draft' || there.digest === null || publishedAt === null) throw draftInTheWay(there);
  if (there.digest !== digest) throw versionConflict(there, digest, there.digest);
  return { versionId, digest: parseDigest(there.digest), idempotent: true, publishedAt };
}

function newRow({ repo, found }: Whole, versionId: VersionId, packageId: string): VersionRow {
  const nothingYet = { digest: null, run: null, expiresAt: null, publishedAt: null, publishedBy: null, events: 0 };
  return { versionId, packageId, repo, coordinate: found.coordinate, state: 'draft', ...nothingYet };
}

function hasCode(error: unknown, code: WaybillError['code']): boolean {
  return error instanceof WaybillError && error.code === code;
}
