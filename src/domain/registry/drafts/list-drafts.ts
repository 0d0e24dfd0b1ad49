import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import { type ListedVersion, listedVersions, versionRows } from '../packages/describe-version.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';

export interface DraftPage {
  /** Newest first; those that have expired, too, as long as no sweep has removed them. */
  readonly drafts: readonly ListedVersion[];
  readonly nextCursor: string | null;
}

const mostListed = 200;

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
  if (!Number.isInteger(limit) || limit < 1 || limit > mostListed) {
    throw new WaybillError('invalid_argument', `a page has 1 to ${mostListed} drafts, not ${limit}`);
  }
  const after = cursor === null ? null : placeOf(cursor);
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
      nextCursor: rows.length > limit && last !== undefined ? `${last.created_at}-${last.id}` : null,
    };
  });
}

function placeOf(cursor: string) {
  const [, at = '', id = ''] = /^(\d{1,16})-(.*)$/s.exec(cursor) ?? [];
  if (at !== '' && isId('version', id)) return { at: Number(at), id };
  throw new WaybillError('invalid_argument', 'this is no cursor of a list of drafts', {
    hint: 'Give `nextCursor` of the page before, unchanged.',
  });
}
