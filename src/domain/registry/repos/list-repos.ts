import { z } from 'zod';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import type { Registry } from '../registry.ts';
import { type ListedRepo, listedRepo } from './show-repo.ts';

export interface RepoFilter {
  /** The keys of those that whoever asks may know of, or all. */
  readonly readable: 'all' | ReadonlySet<string>;
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor: string | null;
}

const place = z.tuple([z.string()]);

/**
 * Repos, by key.
 * @throws WaybillError `invalid_argument` for a limit or cursor that is none
 */
export async function listRepos(
  { store }: Pick<Registry, 'store'>,
  { readable, limit, cursor }: RepoFilter,
): Promise<{ readonly repos: readonly ListedRepo[]; readonly nextCursor: string | null }> {
  checkLimit(limit);
  const after = cursor === null ? null : readCursor('repos', place, cursor);
  if (readable !== 'all' && readable.size === 0) return { repos: [], nextCursor: null };
  return await store.read(async ({ db }) => {
    let query = db
      .selectFrom('repo')
      .selectAll()
      .orderBy('key')
      .limit(limit + 1);
    if (readable !== 'all') query = query.where('key', 'in', [...readable]);
    if (after !== null) query = query.where('key', '>', after[0]);
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return { repos: page.map(listedRepo), nextCursor: last === undefined ? null : writeCursor('repos', [last.key]) };
  });
}
