import { z } from 'zod';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type { VersionState } from '../states.ts';
import { type ListedVersion, listedVersions, versionRows } from './describe-version.ts';
import { requirePackage } from './resolve-package.ts';

export interface VersionFilter {
  readonly repo: string;
  readonly type: string | null;
  readonly name: string;
  /** Empty means all. */
  readonly states: readonly VersionState[];
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor: string | null;
}

export interface VersionPage {
  /** Newest first. */
  readonly versions: readonly ListedVersion[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

const place = z.tuple([z.int(), z.string()]);

/**
 * Versions of a package, newest first. A cursor stays good whatever is made meanwhile: what is newer than where the list
 * began is not in it, all else is, once.
 * @throws WaybillError `repo_not_found`, `package_not_found`, `invalid_argument` for a limit or cursor that is none
 */
export async function listVersions(
  { store }: Pick<Registry, 'store'>,
  { repo, type, name, states, limit, cursor }: VersionFilter,
): Promise<VersionPage> {
  checkLimit(limit);
  const before = cursor === null ? null : readCursor('versions', place, cursor);
  return await store.read(async (tx) => {
    await requireRepo(tx, repo);
    const { id } = await requirePackage(tx, repo, { type, name });
    let query = versionRows(tx)
      .where('version.package', '=', id)
      .orderBy('version.created_at', 'desc')
      .orderBy('version.id', 'desc')
      .limit(limit + 1);
    if (states.length > 0) query = query.where('version.state', 'in', states);
    if (before !== null) {
      const [at, of] = before;
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('version.created_at', 'version.id'), '<', tuple(at, of)),
      );
    }
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      versions: await listedVersions(tx, page),
      nextCursor: last === undefined ? null : writeCursor('versions', [last.created_at, last.id]),
    };
  });
}
