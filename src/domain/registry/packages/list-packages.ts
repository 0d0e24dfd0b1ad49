import { z } from 'zod';
import { parseId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { VersionState } from '../states.ts';
import { resolveTag } from '../tags/resolve-tag.ts';
import { packageNotFound, requirePackage } from './resolve-package.ts';

/** A package, and what is in it by number. */
export interface PackageDescription {
  readonly repo: string;
  readonly type: string;
  readonly name: string;
  readonly versions: Readonly<Record<VersionState, number>>;
  /** Where `latest` points; null while nothing is published. */
  readonly latest: string | null;
  readonly createdAt: Micros;
  readonly createdBy: string;
}

export interface PackageFilter {
  readonly repo: string;
  /** Null for all. */
  readonly type: string | null;
  /** Names that begin with this; null for all. */
  readonly prefix: string | null;
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor: string | null;
}

const place = z.tuple([z.string(), z.string()]);
/** Above every text that begins as what it is put behind. */
const highest = '\u{10ffff}';

/**
 * Packages of a repo, by type and name. A cursor stays good whatever is added meanwhile.
 * @throws WaybillError `repo_not_found`, `invalid_argument` for a limit or cursor that is none
 */
export async function listPackages(
  { store }: Pick<Registry, 'store'>,
  { repo, type, prefix, limit, cursor }: PackageFilter,
): Promise<{ readonly packages: readonly PackageDescription[]; readonly nextCursor: string | null }> {
  checkLimit(limit);
  const after = cursor === null ? null : readCursor('packages', place, cursor);
  return await store.read(async (tx) => {
    await requireRepo(tx, repo);
    let query = tx.db
      .selectFrom('package')
      .selectAll()
      .where('repo', '=', repo)
      .orderBy('type')
      .orderBy('name')
      .limit(limit + 1);
    if (type !== null) query = query.where('type', '=', type);
    if (prefix !== null) query = query.where('name', '>=', prefix).where('name', '<', prefix + highest);
    if (after !== null) {
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('type', 'name'), '>', tuple(after[0], after[1])));
    }
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      packages: await describePackages(tx, repo, page),
      nextCursor: last === undefined ? null : writeCursor('packages', [last.type, last.name]),
    };
  });
}

/** @throws WaybillError `repo_not_found`, `package_not_found`, `invalid_argument` when several types have the name */
export function showPackage(
  { store }: Pick<Registry, 'store'>,
  repo: string,
  named: { readonly type: string | null; readonly name: string },
): Promise<PackageDescription> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const found = await requirePackage(tx, repo, named);
    const row = await tx.db.selectFrom('package').selectAll().where('id', '=', found.id).executeTakeFirstOrThrow();
    const [described] = await describePackages(tx, repo, [row]);
    if (described === undefined) throw packageNotFound(repo, named);
    return described;
  });
}

interface Row {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly created_at: number;
  readonly created_by: string;
}

async function describePackages(
  tx: Pick<ReadTx, 'db'>,
  repo: string,
  rows: readonly Row[],
): Promise<readonly PackageDescription[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const counts = await tx.db
    .selectFrom('version')
    .select(({ fn }) => ['package', 'state', fn.countAll().as('count')])
    .where('package', 'in', ids)
    .groupBy(['package', 'state'])
    .execute();
  const described: PackageDescription[] = [];
  for (const { id, type, name, created_at, created_by } of rows) {
    const versions = { draft: 0, published: 0, tombstoned: 0 };
    for (const each of counts) if (each.package === id) versions[each.state] = Number(each.count);
    const latest = versions.published === 0 ? null : await resolveTag(tx, { id: parseId('package', id) }, 'latest');
    const shown = { versions, latest: latest?.version ?? null, createdAt: created_at, createdBy: created_by };
    described.push({ repo, type, name, ...shown });
  }
  return described;
}
