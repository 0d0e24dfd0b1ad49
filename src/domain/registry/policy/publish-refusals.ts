import { WaybillError } from '../../../contract/errors.ts';
import type { RunId, VersionId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { AuditRecord } from '../../../platform/journal/audit.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import type { Coordinate, Entry } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { dirtyRuns } from './checkout-facts.ts';
import { decide, type Hit } from './decide.ts';
import { standingRules } from './standing-rules.ts';

/** A draft that is about to be published, as the publish transaction read it. */
export interface PublishSubject {
  readonly repo: string;
  readonly versionId: VersionId;
  readonly coordinate: Coordinate;
  readonly digest: string;
  readonly entries: readonly Entry[];
  readonly manifest: { readonly digest: string; readonly mediaType: string };
  readonly run: RunId | null;
  /** Whether a signed attestation is stored in this same transaction. */
  readonly attested: boolean;
}

/**
 * What the rules say of a publish, asked inside of its transaction. Without rules that is one indexed query (on
 * PostgreSQL two: the lock is shared with every other publish, and keeps a rule from being made past this one).
 * @returns the rules that block downloads only: give them to `quarantineAtPublish` once the version is published
 * @throws WaybillError `policy_refused` with every rule that blocks it, and why
 */
export async function publishRefusals(
  { store }: Pick<Registry, 'store'>,
  tx: WriteTx,
  subject: PublishSubject,
): Promise<readonly Hit[]> {
  if (store.engine === 'postgres') {
    await tx.db.selectFrom('policy_lock').select('id').where('id', '=', 1).forShare().execute();
  }
  const rules = await standingRules(tx, subject.repo);
  if (rules.length === 0) return [];
  const { run } = subject;
  const asked = run !== null && rules.some(({ kind }) => kind === 'dirty') ? [run] : [];
  const dirty = run === null ? null : ((await dirtyRuns(tx, asked)).get(run) ?? null);
  const decision = decide(rules, { ...subject, dirty });
  if (decision.allowed) return [];
  const refusing = decision.hits.filter(({ blocks }) => blocks !== 'download');
  if (refusing.length === 0) return decision.hits;
  const said = refusing.map(({ ruleId, reason, why }) => `${ruleId} (${reason}): ${why}`).join('; ');
  throw new WaybillError('policy_refused', `a rule does not let ${subject.versionId} be published: ${said}`, {
    hint: 'Change what the rule found, or have the rule removed.',
    details: {
      versionId: subject.versionId,
      rules: refusing.map(({ ruleId, kind, reason, why }) => ({ rule: ruleId, kind, reason, why })),
    },
  });
}

/** Holds a version back that was published in this same transaction, by the rules `publishRefusals` gave. */
export async function quarantineAtPublish(
  { db }: WriteTx,
  { repo, versionId }: Pick<PublishSubject, 'repo' | 'versionId'>,
  hits: readonly Hit[],
  at: Micros,
): Promise<void> {
  if (hits.length === 0) return;
  await db
    .insertInto('quarantine')
    .values(hits.map(({ ruleId, why }) => ({ repo, version: versionId, rule: ruleId, reason: why, at })))
    .execute();
}

/** The audit records of versions that are held back. */
export function quarantineRecords(
  { repo, versionId }: { readonly repo: string; readonly versionId: string },
  hits: readonly Hit[],
  { at, by }: { readonly at: Micros; readonly by: string },
): readonly AuditRecord[] {
  return hits.map(({ ruleId, reason, why }) => ({
    at,
    actor: by,
    action: 'package.version.quarantined',
    resource: versionId,
    outcome: 'succeeded',
    reason,
    details: { repo, rule: ruleId, why },
  }));
}
