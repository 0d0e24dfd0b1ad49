import type { RepoKey } from '../../../contract/ids.ts';
import { parseId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';
import type { VersionState } from '../states.ts';
import { repoNotFound, requireRepo } from './require-repo.ts';

/** A repo, and what is in it by number. */
export interface RepoDescription extends ListedRepo {
  readonly packages: number;
  readonly versions: Readonly<Record<VersionState, number>>;
  /** What may be read in it; `size` in bytes, before anything is stored once only. */
  readonly blobs: { readonly count: number; readonly size: number };
}

export interface ListedRepo {
  readonly key: RepoKey;
  readonly description: string;
  readonly createdAt: Micros;
  readonly createdBy: string;
}

/** @throws WaybillError `repo_not_found` */
export function showRepo({ store }: Pick<Registry, 'store'>, key: string): Promise<RepoDescription> {
  return store.read((tx) => describeRepo(tx, key));
}

/** The same inside of a transaction. @throws WaybillError `repo_not_found` */
export async function describeRepo(tx: Pick<ReadTx, 'db'>, given: string): Promise<RepoDescription> {
  const key = await requireRepo(tx, given);
  const { db } = tx;
  const row = await db.selectFrom('repo').selectAll().where('key', '=', key).executeTakeFirst();
  if (row === undefined) throw repoNotFound(key);
  const packages = await db
    .selectFrom('package')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('repo', '=', key)
    .executeTakeFirst();
  const blobs = await db
    .selectFrom('repo_blob')
    .select(({ fn }) => [fn.countAll().as('count'), fn.sum('size').as('size')])
    .where('repo', '=', key)
    .executeTakeFirst();
  return {
    ...listedRepo(row),
    packages: Number(packages?.count ?? 0),
    versions: await countVersions(tx, key),
    blobs: { count: Number(blobs?.count ?? 0), size: Number(blobs?.size ?? 0) },
  };
}

/** How many versions of each state are in a repo. */
export async function countVersions(
  { db }: Pick<ReadTx, 'db'>,
  repo: RepoKey,
): Promise<Readonly<Record<VersionState, number>>> {
  const rows = await db
    .selectFrom('version')
    .select(({ fn }) => ['state', fn.countAll().as('count')])
    .where('repo', '=', repo)
    .groupBy('state')
    .execute();
  const counts = { draft: 0, published: 0, tombstoned: 0 };
  for (const { state, count } of rows) counts[state] = Number(count);
  return counts;
}

export function listedRepo(row: {
  readonly key: string;
  readonly description: string;
  readonly created_at: number;
  readonly created_by: string;
}): ListedRepo {
  return {
    key: parseId('repo', row.key),
    description: row.description,
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
