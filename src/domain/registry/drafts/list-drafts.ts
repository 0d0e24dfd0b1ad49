import { z } from 'zod';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import { type ListedVersion, listedVersions, versionRows } from '../packages/describe-version.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';

export interface DraftPage {
  /** Newest first; those that have expired, too, as long as no sweep has removed them. */
  readonly drafts: readonly ListedVersion[];
  readonly nextCursor: string | null;
}

const place = z.tuple([z.int(), z.string()]).transform(([at, id]) => ({ at, id }));

/**
 * The drafts of a repo.
 * @throws WaybillError `repo_not_found`, `invalid_argument` for a limit or cursor that is none
 */
export async function listDrafts(
  { store }: Pick<Registry, 'store'>,
  filter: {
    readonly repo: string;
    readonly type?: string | undefined;
    readonly name?: string | undefined;
    /** 1 to 200. */
    readonly limit: number;
    readonly cursor?: string | null | undefined;
  },
): Promise<DraftPage> {
  const { repo, type, name, limit, cursor = null } = filter;
  checkLimit(limit);
  const after = cursor === null ? null : readCursor('drafts', place, cursor);
  return await store.read(async (tx) => {
    await requireRepo(tx, repo);
    let query = versionRows(tx)
      .where('version.repo', '=', repo)
      .where('version.state', '=', 'draft')
      .orderBy('version.created_at', 'desc')
      .orderBy('version.id', 'desc')
      .limit(limit + 1);
    if (type !== undefined) query = query.where('package.type', '=', type);
    if (name !== undefined) query = query.where('package.name', '=', name);
    if (after !== null) {
      query = query.where(({ eb, or, and }) =>
        or([
          eb('version.created_at', '<', after.at),
          and([eb('version.created_at', '=', after.at), eb('version.id', '<', after.id)]),
        ]),
      );
    }
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      drafts: await listedVersions(tx, page),
      nextCursor: rows.length > limit && last !== undefined ? writeCursor('drafts', [last.created_at, last.id]) : null,
    };
  });
}
