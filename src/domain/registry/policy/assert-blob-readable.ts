import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';

const mostNamed = 50;

/**
 * Asked before a blob is read by its digest: what a rule holds back is not to be had by another door. A blob is held back
 * when every published version of this repo that has it as a file is; drafts do not count, because anybody who may write
 * can make one. While nothing is held back in the repo that is one query of an index.
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
  const published = db
    .selectFrom('version_entry as entry')
    .innerJoin('version', 'version.id', 'entry.version')
    .where('entry.digest', '=', digest)
    .where('version.repo', '=', repo)
    .where('version.state', '=', 'published');
  const free = await published
    .select('version.id')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('quarantine as held')
            .select('held.rule')
            .whereRef('held.version', '=', 'version.id')
            .where('held.released_at', 'is', null),
        ),
      ),
    )
    .limit(1)
    .executeTakeFirst();
  if (free !== undefined) return;
  const marks = await published
    .innerJoin('quarantine as held', 'held.version', 'version.id')
    .innerJoin('policy_rule as rule', 'rule.id', 'held.rule')
    .select(['held.version', 'held.rule', 'rule.kind', 'rule.reason', 'held.reason as why'])
    .where('held.released_at', 'is', null)
    .orderBy('held.version')
    .orderBy('held.rule')
    .limit(mostNamed)
    .execute();
  if (marks.length === 0) return;
  const said = marks.map(({ version, rule, reason, why }) => `${version} by ${rule} (${reason}): ${why}`).join('; ');
  throw new WaybillError('version_quarantined', `what has this file is quarantined: ${said}`, {
    hint: 'It can be downloaded again when the rule is removed.',
    details: { digest, rules: marks },
  });
}
