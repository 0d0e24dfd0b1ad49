import type { Micros } from '../../../platform/clock/clock.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import { entriesRecord } from '../entries/entries-record.ts';
import { foldPath } from '../entries/fold-path.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { VersionRow } from '../version-row.ts';
import type { Whole } from './publish-whole.ts';

/** More parameters than this one statement should have; both engines take some 30,000. */
const rowsAtOnce = 2_000;

/** Writes blobs, draft, entries and manifest of a version as the requests of a draft would, with their audit records. */
export async function writeWhole(
  tx: WriteTx,
  {
    row,
    whole,
    before,
    at,
    by,
  }: {
    readonly row: VersionRow;
    readonly whole: Whole;
    /** Records of what had to go before. */
    readonly before: readonly AuditRecord[];
    readonly at: Micros;
    readonly by: string;
  },
): Promise<void> {
  const { db } = tx;
  const { versionId: version, packageId, repo, coordinate } = row;
  const { entries, manifest } = whole.found;
  // In one order for everybody: of two that add the same blobs one waits for the other, and never both.
  const sizes = new Map(
    entries.map(({ digest, size }) => [digest, size] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const known = new Set<string>();
  for (const digests of pages([...sizes.keys()])) {
    const query = db.selectFrom('repo_blob').select('digest').where('repo', '=', repo).where('digest', 'in', digests);
    for (const { digest } of await query.execute()) known.add(digest);
  }
  const named = { at, actor: by, outcome: 'succeeded' } as const;
  const uploads = [...sizes]
    .filter(([digest]) => !known.has(digest))
    .map(
      ([digest, size]): AuditRecord => ({
        ...named,
        action: 'blob.uploaded',
        resource: digest,
        details: { repo, size },
      }),
    );
  const about = { repo, coordinate: formatCoordinate(coordinate) };
  const counts = { added: entries.length, replaced: 0, removed: 0, count: entries.length };
  await commit(tx, {
    change: async () => {
      // Inserted also when it is there: the collector then sees that somebody needs it.
      for (const some of pages([...sizes])) {
        await db
          .insertInto('repo_blob')
          .values(some.map(([digest, size]) => ({ repo, digest, size, added_at: at, added_by: by })))
          .onConflict((conflict) => conflict.columns(['repo', 'digest']).doNothing())
          .execute();
      }
      const made = { created_at: at, created_by: by, expires_at: null };
      const draft = { id: version, package: packageId, repo, version: coordinate.version, state: 'draft' as const };
      await db
        .insertInto('version')
        .values({ ...draft, run: null, ...made })
        .execute();
      for (const some of pages(entries)) {
        await db
          .insertInto('version_entry')
          .values(
            some.map(({ path, digest, size, mediaType }) => ({
              ...{ version, path, folded: foldPath(path) },
              ...{ digest, size, media_type: mediaType },
            })),
          )
          .execute();
      }
      const { digest, size, mediaType } = manifest;
      await db
        .insertInto('version_manifest')
        .values({ version, media_type: mediaType, body: whole.manifestBytes, digest, size })
        .execute();
    },
    audit: [
      ...before,
      ...uploads,
      { ...named, action: 'package.version.draft.created', resource: version, details: { ...about, run: null } },
      entriesRecord(row, counts, at, by),
      {
        ...named,
        action: 'package.version.manifest.changed',
        resource: version,
        details: { ...about, ...manifest, before: null },
      },
    ],
  });
}

function* pages<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += rowsAtOnce) yield all.slice(from, from + rowsAtOnce);
}
