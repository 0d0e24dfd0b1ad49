import { z } from 'zod';
import { checkLimit, readCursor, writeCursor } from '../list-cursor.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { type PolicyRule, ruleOf } from './rule-row.ts';

export interface RuleFilter {
  /** Rules that hold in this repo, those of every repo among them; null lists only those of every repo. */
  readonly repo: string | null;
  /** Those that were removed too. */
  readonly removed: boolean;
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor: string | null;
}

const place = z.tuple([z.int(), z.string()]);

/**
 * Rules, oldest first.
 * @throws WaybillError `repo_not_found`, `invalid_argument` for a limit or cursor that is none
 */
export async function listRules(
  { store }: Pick<Registry, 'store'>,
  { repo, removed, limit, cursor }: RuleFilter,
): Promise<{ readonly rules: readonly PolicyRule[]; readonly nextCursor: string | null }> {
  checkLimit(limit);
  const after = cursor === null ? null : readCursor('rules', place, cursor);
  return await store.read(async (tx) => {
    if (repo !== null) await requireRepo(tx, repo);
    let query = tx.db
      .selectFrom('policy_rule')
      .selectAll()
      .where((where) =>
        repo === null ? where('repo', 'is', null) : where.or([where('repo', '=', repo), where('repo', 'is', null)]),
      )
      .orderBy('made_at')
      .orderBy('id')
      .limit(limit + 1);
    if (!removed) query = query.where('removed_at', 'is', null);
    if (after !== null) {
      const [at, id] = after;
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('made_at', 'id'), '>', tuple(at, id)));
    }
    const rows = await query.execute();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    const nextCursor = last === undefined ? null : writeCursor('rules', [last.made_at, last.id]);
    return { rules: page.map(ruleOf), nextCursor };
  });
}
