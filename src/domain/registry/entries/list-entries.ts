import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { versionNotFound } from '../drafts/draft-errors.ts';
import type { Entry } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';

export interface EntryPage {
  /** In the order of their paths, byte by byte. */
  readonly entries: readonly Entry[];
  readonly nextCursor: string | null;
}

const mostListed = 1_000;

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
  if (!Number.isInteger(limit) || limit < 1 || limit > mostListed) {
    throw new WaybillError('invalid_argument', `a page has 1 to ${mostListed} entries, not ${limit}`);
  }
  const after = cursor === null ? null : pathOfCursor(cursor);
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
      nextCursor: rows.length > limit && last !== undefined ? cursorOf(last.path) : null,
    };
  });
}

function cursorOf(path: string): string {
  return Buffer.from(path).toString('base64url');
}

function pathOfCursor(cursor: string): string {
  const path = Buffer.from(cursor, 'base64url').toString('utf8');
  if (path !== '' && !path.includes('\0') && cursorOf(path) === cursor) return path;
  throw new WaybillError('invalid_argument', 'this is no cursor of a list of entries', {
    hint: 'Give `nextCursor` of the page before, unchanged.',
  });
}
