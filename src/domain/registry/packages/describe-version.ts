import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, isId, parseId, type RunId, type VersionId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { VersionState } from '../states.ts';
import { versionNotFound } from '../version-not-found.ts';

/** A version as a list shows it. Times are microseconds UTC. */
export interface ListedVersion {
  readonly versionId: VersionId;
  readonly repo: string;
  readonly coordinate: Coordinate;
  readonly state: VersionState;
  /** Null while it is a draft. */
  readonly digest: Digest | null;
  readonly run: RunId | null;
  readonly tags: readonly string[];
  /** The rules that keep it from being downloaded. */
  readonly quarantine: readonly { readonly ruleId: string; readonly reason: string; readonly since: Micros }[];
  readonly createdAt: Micros;
  readonly createdBy: string;
  readonly expiresAt: Micros | null;
  readonly published: { readonly at: Micros; readonly by: string } | null;
  readonly tombstoned: { readonly at: Micros; readonly by: string; readonly reason: string } | null;
}

/** All of a version but its entries one by one. */
export interface VersionDescription extends ListedVersion {
  /** The gates that were required of it, each with the gate run that was green; null while it is a draft. */
  readonly gates: readonly { readonly gate: string; readonly evidence: string | null }[] | null;
  readonly entries: { readonly count: number; readonly size: number };
  readonly manifest: { readonly digest: Digest; readonly size: number; readonly mediaType: string } | null;
  readonly attestation: { readonly keyId: string; readonly digest: Digest } | null;
}

/**
 * A version of this repo, in any state.
 * @throws WaybillError `repo_not_found`, `version_not_found`
 */
export function showVersion(
  { store }: Pick<Registry, 'store'>,
  repo: string,
  versionId: string,
): Promise<VersionDescription> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    return await describeVersion(tx, repo, versionId);
  });
}

/** The same inside of a transaction, which may be the one that changed it. @throws WaybillError `version_not_found` */
export async function describeVersion(
  tx: Pick<ReadTx, 'db'>,
  repo: string,
  versionId: string,
): Promise<VersionDescription> {
  const row = isId('version', versionId)
    ? await versionRows(tx).where('version.id', '=', versionId).where('version.repo', '=', repo).executeTakeFirst()
    : undefined;
  if (row === undefined) throw versionNotFound(repo, versionId);
  const { db } = tx;
  const [listed] = await listedVersions(tx, [row]);
  const entries = await db
    .selectFrom('version_entry')
    .select(({ fn }) => [fn.countAll().as('count'), fn.sum('size').as('size')])
    .where('version', '=', row.id)
    .executeTakeFirst();
  const manifest = await db
    .selectFrom('version_manifest')
    .select(['digest', 'size', 'media_type'])
    .where('version', '=', row.id)
    .executeTakeFirst();
  const attestation = await db
    .selectFrom('version_attestation')
    .select(['key_id', 'digest'])
    .where('version', '=', row.id)
    .executeTakeFirst();
  if (listed === undefined) throw new WaybillError('internal', 'a version was not described');
  return {
    ...listed,
    gates: row.gates === null ? null : gatesShape.parse(JSON.parse(row.gates)),
    entries: { count: Number(entries?.count ?? 0), size: Number(entries?.size ?? 0) },
    manifest:
      manifest === undefined
        ? null
        : { digest: parseDigest(manifest.digest), size: manifest.size, mediaType: manifest.media_type },
    attestation:
      attestation === undefined ? null : { keyId: attestation.key_id, digest: parseDigest(attestation.digest) },
  };
}

const gatesShape = z.array(z.strictObject({ gate: z.string(), evidence: z.string().nullable() }));

/** Versions with their packages: what `listedVersions` makes of, narrowed and ordered by whoever asks. */
export function versionRows({ db }: Pick<ReadTx, 'db'>) {
  return db
    .selectFrom('version')
    .innerJoin('package', 'package.id', 'version.package')
    .selectAll('version')
    .select(['package.type', 'package.name']);
}

type VersionRow = NonNullable<Awaited<ReturnType<ReturnType<typeof versionRows>['executeTakeFirst']>>>;

/** Rows with their tags and quarantines, in the order given: two queries, however many there are. */
export async function listedVersions(
  { db }: Pick<ReadTx, 'db'>,
  rows: readonly VersionRow[],
): Promise<readonly ListedVersion[]> {
  const ids = rows.filter(({ state }) => state === 'published').map(({ id }) => id);
  const tags =
    ids.length === 0
      ? []
      : await db.selectFrom('tag').select(['tag', 'version']).where('version', 'in', ids).orderBy('tag').execute();
  const marks =
    ids.length === 0
      ? []
      : await db
          .selectFrom('quarantine')
          .innerJoin('policy_rule', 'policy_rule.id', 'quarantine.rule')
          .select(['quarantine.version', 'quarantine.rule', 'quarantine.at', 'policy_rule.reason'])
          .where('quarantine.version', 'in', ids)
          .where('quarantine.released_at', 'is', null)
          .orderBy('quarantine.rule')
          .execute();
  return rows.map((row) => ({
    versionId: parseId('version', row.id),
    repo: row.repo,
    coordinate: { type: row.type, name: row.name, version: row.version },
    state: row.state,
    digest: row.digest === null ? null : parseDigest(row.digest),
    run: row.run === null ? null : parseId('run', row.run),
    tags: tags.filter(({ version }) => version === row.id).map(({ tag }) => tag),
    quarantine: marks
      .filter(({ version }) => version === row.id)
      .map(({ rule, reason, at }) => ({ ruleId: rule, reason, since: at })),
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.state === 'draft' ? row.expires_at : null,
    published:
      row.published_at === null || row.published_by === null ? null : { at: row.published_at, by: row.published_by },
    tombstoned:
      row.tombstoned_at === null || row.tombstoned_by === null
        ? null
        : { at: row.tombstoned_at, by: row.tombstoned_by, reason: row.tombstone_reason ?? '' },
  }));
}
