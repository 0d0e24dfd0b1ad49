import { z } from 'zod';
import { isId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import type { Entry } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { versionNotFound } from '../version-not-found.ts';

export interface EntryPage {
  /** In the order of their paths, byte by byte. */
  readonly entries: readonly Entry[];
  readonly nextCursor: string | null;
}

const mostListed = 1_000;
const place = z.tuple([z.string().refine((path) => !path.includes('\0'))]).transform(([path]) => path);

/**
 * The entries of a version in any state.
 * @throws WaybillError `version_not_found`, `invalid_argument` for a limit or cursor that is none
 */
export async function listEntries(
  { store }: Pick<Registry, 'store'>,
  request: {
    readonly repo: string;
    readonly versionId: string;
    /** 1 to 1000. */
    readonly limit: number;
    readonly cursor?: string | null | undefined;
  },
): Promise<EntryPage> {
  const { repo, versionId, limit, cursor = null } = request;
  if (!isId('version', versionId)) throw versionNotFound(repo, versionId);
  checkLimit(limit, mostListed);
  const after = cursor === null ? null : readCursor('entries', place, cursor);
  return await store.read(async ({ db }) => {
    const version = db.selectFrom('version').select('id').where('id', '=', versionId).where('repo', '=', repo);
    if ((await version.executeTakeFirst()) === undefined) throw versionNotFound(repo, versionId);
    let query = db
      .selectFrom('version_entry')
      .select(['path', 'digest', 'size', 'media_type'])
      .where('version', '=', versionId)
      .orderBy('path')
      .limit(limit + 1);
    if (after !== null) query = query.where('path', '>', after);
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      entries: page.map(({ path, digest, size, media_type }) => ({
        path,
        digest: parseDigest(digest),
        size,
        mediaType: media_type,
      })),
      nextCursor: rows.length > limit && last !== undefined ? writeCursor('entries', [last.path]) : null,
    };
  });
}
