import { WaybillError } from '../../../contract/errors.ts';
import type { VersionId } from '../../../contract/ids.ts';
import type { ReadTx } from '../../../platform/store/store.ts';

/**
 * Asked before each download of what is in a version: a draft has nothing to download, a tombstoned version nothing any
 * more, and a rule may keep a published one back.
 * @throws WaybillError `version_not_found` (a draft too), `version_tombstoned`, `version_quarantined` with every rule and why
 */
export async function assertMayDownload({ db }: Pick<ReadTx, 'db'>, versionId: VersionId): Promise<void> {
  const version = await db
    .selectFrom('version')
    .select(['state', 'digest'])
    .where('id', '=', versionId)
    .executeTakeFirst();
  if (version === undefined || version.state === 'draft') {
    throw new WaybillError('version_not_found', `${versionId} is not published`, {
      hint: 'Only what is published can be downloaded.',
    });
  }
  if (version.state === 'tombstoned') {
    throw new WaybillError('version_tombstoned', `${versionId} is tombstoned: there is nothing to download any more`, {
      hint: 'Its digest and why it was withdrawn stay on record: show it.',
      details: { versionId, digest: version.digest },
    });
  }
  const marks = await db
    .selectFrom('quarantine')
    .innerJoin('policy_rule', 'policy_rule.id', 'quarantine.rule')
    .select(['quarantine.rule', 'policy_rule.kind', 'policy_rule.reason', 'quarantine.reason as why'])
    .where('quarantine.version', '=', versionId)
    .where('quarantine.released_at', 'is', null)
    .orderBy('quarantine.rule')
    .execute();
  if (marks.length === 0) return;
  const rules = marks.map(({ rule, kind, reason, why }) => ({ rule, kind, reason, why }));
  const said = rules.map(({ rule, reason, why }) => `${rule} (${reason}): ${why}`).join('; ');
  throw new WaybillError('version_quarantined', `${versionId} is quarantined by ${said}`, {
    hint: 'It can be downloaded again when the rule is removed.',
    details: { versionId, rules },
  });
}
