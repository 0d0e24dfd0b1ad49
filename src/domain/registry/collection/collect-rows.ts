import { commit } from '../../../platform/journal/commit.ts';
import type { Store, WriteTx } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';
import { type CollectionReport, Tally } from './collection-report.ts';
import type { GarbageLimits } from './garbage-limits.ts';
import { hasVersion } from './held-blobs.ts';

interface RowsRequest {
  readonly limits: GarbageLimits;
  readonly apply: boolean;
  readonly by: string;
  readonly batch: number;
  readonly stopped: () => boolean;
}

interface Row {
  readonly repo: string;
  readonly digest: string;
  readonly size: number;
  readonly added_at: number;
  /** A draft, a version, or one tombstoned not long ago has it. */
  readonly used: boolean;
}

/**
 * Goes through all of `repo_blob` in pages and removes, each page in a transaction of its own, the rows that no version
 * needs. An entry that is being added at the same moment holds its row: then the row is passed by, or the entry is
 * refused because the row is gone.
 */
export async function collectRows(
  { store, clock }: Pick<Registry, 'store' | 'clock'>,
  request: RowsRequest,
): Promise<CollectionReport['repoBlobs']> {
  const { limits, apply, by, batch, stopped } = request;
  const [total, recent, version, collectable, removed] = [
    new Tally(),
    new Tally(),
    new Tally(),
    new Tally(),
    new Tally(),
  ];
  let after: Pick<Row, 'repo' | 'digest'> | null = null;
  while (!stopped()) {
    const page: readonly Row[] = await readPage(store, after, limits, batch);
    for (const row of page) {
      total.add(row.size);
      (row.added_at >= limits.untouchedSince ? recent : row.used ? version : collectable).add(row.size);
    }
    const unused = page.filter((row) => row.added_at < limits.untouchedSince && !row.used);
    if (apply && unused.length > 0) {
      const gone = new Set(await removeRows(store, unused, limits, { at: clock.now(), by }));
      for (const row of unused) {
        if (gone.has(keyOf(row))) {
          removed.add(row.size);
          continue;
        }
        // Somebody has added it again, or an entry of it, since we looked.
        collectable.take(row.size);
        recent.add(row.size);
      }
    }
    const last = page.at(-1);
    if (last === undefined || page.length < batch) break;
    after = last;
  }
  return {
    total: total.amount,
    kept: { recent: recent.amount, version: version.amount },
    collectable: collectable.amount,
    removed: removed.amount,
  };
}

function readPage(
  store: Store,
  after: Pick<Row, 'repo' | 'digest'> | null,
  limits: GarbageLimits,
  batch: number,
): Promise<readonly Row[]> {
  return store.read(async (tx) => {
    const rows = await tx.db
      .selectFrom('repo_blob')
      .select(['repo', 'digest', 'size', 'added_at'])
      .select((each) => each.case().when(hasVersion(each, limits)).then(1).else(0).end().as('used'))
      .$if(after !== null, (query) =>
        query.where((where) =>
          where.or([
            where('repo', '>', after?.repo ?? ''),
            where.and([where('repo', '=', after?.repo ?? ''), where('digest', '>', after?.digest ?? '')]),
          ]),
        ),
      )
      .orderBy('repo')
      .orderBy('digest')
      .limit(batch)
      .execute();
    return rows.map((row) => ({ ...row, used: Number(row.used) === 1 }));
  });
}

/** Removes those that are still unused; resolves with the keys of what went. */
async function removeRows(
  store: Store,
  rows: readonly Row[],
  limits: GarbageLimits,
  told: { readonly at: number; readonly by: string },
): Promise<readonly string[]> {
  const gone: string[] = [];
  for (const [repo, asked] of Map.groupBy(rows, (row) => row.repo)) {
    const digests = asked.map(({ digest }) => digest);
    const removed = await store.write(async (tx) => {
      const unused = await lockUnused(tx, store.engine, { repo, digests, limits });
      if (unused.length === 0) return [];
      const bytes = unused.reduce((sum, { size }) => sum + size, 0);
      await commit(tx, {
        change: async () => {
          const names = unused.map(({ digest }) => digest);
          await tx.db.deleteFrom('repo_blob').where('repo', '=', repo).where('digest', 'in', names).execute();
        },
        audit: [
          {
            at: told.at,
            actor: told.by,
            action: 'blobs.collected',
            resource: `repo:${repo}`,
            outcome: 'succeeded',
            details: { what: 'rows', count: unused.length, bytes },
          },
        ],
      });
      return unused;
    });
    gone.push(...removed.map(({ digest }) => keyOf({ repo, digest })));
  }
  return gone;
}

/**
 * Of these rows those that nobody needs and nobody is about to need. On PostgreSQL an entry that is being added holds its
 * row: that row is passed by, and nobody is waited for. Only what is locked is asked about, by a statement that sees all
 * that was committed until then. On SQLite there is one writer, and it is us.
 */
async function lockUnused(
  tx: WriteTx,
  engine: Store['engine'],
  asked: { readonly repo: string; readonly digests: readonly string[]; readonly limits: GarbageLimits },
): Promise<readonly { readonly digest: string; readonly size: number }[]> {
  const { repo, digests, limits } = asked;
  const rows = (names: readonly string[]) =>
    tx.db.selectFrom('repo_blob').select(['digest', 'size']).where('repo', '=', repo).where('digest', 'in', names);
  const free =
    engine === 'sqlite' ? digests : (await rows(digests).forUpdate().skipLocked().execute()).map((row) => row.digest);
  if (free.length === 0) return [];
  return await rows(free)
    .where('added_at', '<', limits.untouchedSince)
    .where((where) => where.not(hasVersion(where, limits)))
    .execute();
}

function keyOf({ repo, digest }: Pick<Row, 'repo' | 'digest'>): string {
  return `${repo} ${digest}`;
}
