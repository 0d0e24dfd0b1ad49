import type { ReadTx } from '../../../platform/store/store.ts';
import { type PolicyRule, ruleOf } from './rule-row.ts';

/** The rules that stand in this repo, those of every repo among them, oldest first. */
export async function standingRules({ db }: Pick<ReadTx, 'db'>, repo: string): Promise<readonly PolicyRule[]> {
  const rows = await db
    .selectFrom('policy_rule')
    .selectAll()
    .where('removed_at', 'is', null)
    .where((where) => where.or([where('repo', '=', repo), where('repo', 'is', null)]))
    .orderBy('made_at')
    .orderBy('id')
    .execute();
  return rows.map(ruleOf);
}
