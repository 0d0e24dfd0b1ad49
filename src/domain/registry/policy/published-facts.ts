import { parseDigest } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { dirtyRuns } from './checkout-facts.ts';
import type { StandingRule } from './decide.ts';
import type { VersionFacts } from './rule-kind.ts';

export interface PublishedFacts {
  readonly repo: string;
  readonly versionId: string;
  readonly facts: VersionFacts;
}

const pageSize = 200;

/** One page of the published versions of a repo, or of all, behind `after`, with all that a rule may look at. */
export async function publishedFacts(
  tx: Pick<ReadTx, 'db'>,
  rule: StandingRule,
  { repo, after }: { readonly repo: string | null; readonly after: string },
): Promise<readonly PublishedFacts[]> {
  const { db } = tx;
  let query = db
    .selectFrom('version')
    .innerJoin('package', 'package.id', 'version.package')
    .leftJoin('version_manifest as manifest', 'manifest.version', 'version.id')
    .leftJoin('version_attestation as attestation', 'attestation.version', 'version.id')
    .select([
      'version.id',
      'version.repo',
      'version.version',
      'version.digest',
      'version.run',
      'package.type',
      'package.name',
      'manifest.digest as manifestDigest',
      'manifest.media_type as manifestType',
      'attestation.version as attested',
    ])
    .where('version.state', '=', 'published')
    .where('version.id', '>', after)
    .orderBy('version.id')
    .limit(pageSize);
  if (repo !== null) query = query.where('version.repo', '=', repo);
  const rows = await query.execute();
  if (rows.length === 0) return [];
  const entries = await db
    .selectFrom('version_entry')
    .select(['version', 'path', 'digest', 'size', 'media_type'])
    .where(
      'version',
      'in',
      rows.map(({ id }) => id),
    )
    .orderBy('version')
    .orderBy('path')
    .execute();
  const dirty = await dirtyRuns(tx, rule.kind === 'dirty' ? rows.flatMap(({ run }) => run ?? []) : []);
  const ofVersion = Map.groupBy(entries, ({ version }) => version);
  return rows.map((row) => ({
    repo: row.repo,
    versionId: row.id,
    facts: {
      coordinate: { type: row.type, name: row.name, version: row.version },
      digest: row.digest ?? '',
      entries: (ofVersion.get(row.id) ?? []).map(({ path, digest, size, media_type }) => ({
        path,
        digest: parseDigest(digest),
        size,
        mediaType: media_type,
      })),
      manifest: { digest: row.manifestDigest ?? '', mediaType: row.manifestType ?? '' },
      attested: row.attested !== null,
      run: row.run,
      dirty: row.run === null ? null : (dirty.get(row.run) ?? null),
    },
  }));
}
