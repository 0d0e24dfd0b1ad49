import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';

const mostNamed = 50;

/**
 * Asked before a blob is read by its digest: what a rule holds back is not to be had by another door. A blob is held back
 * when a version of this repo that has it as a file is quarantined, also one that was tombstoned after that, and no
 * published one that is not has it too; drafts do not count, because anybody who may write can make one. While nothing is
 * held back in the repo that is one query of an index.
 * @throws WaybillError `version_quarantined` with the rules and why
 */
export async function assertBlobReadable({ db }: Pick<ReadTx, 'db'>, repo: string, digest: Digest): Promise<void> {
  const any = await db
    .selectFrom('quarantine')
    .select('version')
    .where('repo', '=', repo)
    .where('released_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  if (any === undefined) return;
  // Each version is looked at from its entry, so that no planner goes through all versions of the repo instead.
  const having = db.selectFrom('version_entry as entry').select('entry.version').where('entry.digest', '=', digest);
  const free = await having
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('version')
          .select('version.id')
          .whereRef('version.id', '=', 'entry.version')
          .where('version.repo', '=', repo)
          .where('version.state', '=', 'published'),
      ),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('quarantine as held')
            .select('held.rule')
            .whereRef('held.version', '=', 'entry.version')
            .where('held.released_at', 'is', null),
        ),
      ),
    )
    .limit(1)
    .executeTakeFirst();
  if (free !== undefined) return;
  const some = await having
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('quarantine as held')
          .select('held.rule')
          .whereRef('held.version', '=', 'entry.version')
          .where('held.repo', '=', repo)
          .where('held.released_at', 'is', null),
      ),
    )
    .limit(mostNamed)
    .execute();
  if (some.length === 0) return;
  const marks = await db
    .selectFrom('quarantine as held')
    .innerJoin('policy_rule as rule', 'rule.id', 'held.rule')
    .select(['held.version', 'held.rule', 'rule.kind', 'rule.reason', 'held.reason as why'])
    .where(
      'held.version',
      'in',
      some.map(({ version }) => version),
    )
    .where('held.released_at', 'is', null)
    .orderBy('held.version')
    .orderBy('held.rule')
    .execute();
  const said = marks.map(({ version, rule, reason, why }) => `${version} by ${rule} (${reason}): ${why}`).join('; ');
  throw new WaybillError('version_quarantined', `what has this file is quarantined: ${said}`, {
    hint: 'It can be downloaded again when the rule is removed.',
    details: { digest, rules: marks },
  });
}
