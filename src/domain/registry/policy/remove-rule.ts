import { WaybillError } from '../../../contract/errors.ts';
import { isId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { LockedTx } from '../../../platform/store/store.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { type PolicyRule, ruleOf } from './rule-row.ts';

export interface RemovedRule {
  readonly rule: PolicyRule;
  /** How many versions it no longer holds back. */
  readonly released: number;
  /** True when it was removed before: nothing was done. */
  readonly idempotent: boolean;
}

/**
 * Ends a rule, and with it every quarantine it made; both stay on record. Again changes nothing.
 * @param request.repo the repo it was made for; null for a rule of every repo
 * @throws WaybillError `repo_not_found`, `policy_rule_not_found`
 */
export async function removeRule(
  registry: Registry,
  request: { readonly repo: string | null; readonly ruleId: string },
  by: string,
): Promise<RemovedRule> {
  const { repo, ruleId } = request;
  const { store, clock } = registry;
  // What is no id is no act either: nothing of it is recorded.
  if (!isId('policyRule', ruleId)) throw ruleNotFound(ruleId, repo);
  const act = { action: 'policy.rule.removed', resource: ruleId, by, details: { repo } } as const;
  return await recordingRefusal(registry, act, () =>
    store.locked({ table: 'policy_lock', key: { id: 1 } }, async (tx) => {
      if (repo !== null) await requireRepo(tx, repo);
      const row = await tx.db.selectFrom('policy_rule').selectAll().where('id', '=', ruleId).executeTakeFirst();
      if (row === undefined || row.repo !== repo) throw ruleNotFound(ruleId, repo);
      const rule = ruleOf(row);
      if (rule.removed !== null) return { rule, released: 0, idempotent: true };
      return await endRule(tx, rule, { at: clock.now(), by });
    }),
  );
}

const pageSize = 200;

/** Ends a rule that stands, in the transaction that holds the lock of the rules. */
export async function endRule(
  tx: LockedTx,
  rule: PolicyRule,
  removed: { readonly at: Micros; readonly by: string },
): Promise<RemovedRule> {
  const { at, by } = removed;
  const { ruleId, repo, reason } = rule;
  await commit(tx, {
    change: async () => {
      await tx.db.updateTable('policy_rule').set({ removed_at: at, removed_by: by }).where('id', '=', ruleId).execute();
    },
    audit: [
      {
        at,
        actor: by,
        action: 'policy.rule.removed',
        resource: ruleId,
        outcome: 'succeeded',
        details: { repo, kind: rule.kind, blocks: rule.blocks },
      },
    ],
  });
  let released = 0;
  for (;;) {
    const page = await tx.db
      .selectFrom('quarantine')
      .select(['repo', 'version'])
      .where('rule', '=', ruleId)
      .where('released_at', 'is', null)
      .orderBy('version')
      .limit(pageSize)
      .execute();
    if (page.length === 0) return { rule: { ...rule, removed }, released, idempotent: false };
    released += page.length;
    const versions = page.map(({ version }) => version);
    await commit(tx, {
      change: async () => {
        await tx.db
          .updateTable('quarantine')
          .set({ released_at: at })
          .where('rule', '=', ruleId)
          .where('version', 'in', versions)
          .execute();
      },
      audit: page.map(({ repo: of, version }) => ({
        at,
        actor: by,
        action: 'package.version.released',
        resource: version,
        outcome: 'succeeded',
        details: { repo: of, rule: ruleId, reason },
      })),
    });
  }
}

function ruleNotFound(ruleId: string, repo: string | null): WaybillError {
  const where = repo === null ? 'of every repo' : `of the repo ${repo}`;
  return new WaybillError('policy_rule_not_found', `there is no rule ${ruleId.slice(0, 80)} ${where}`, {
    hint: 'List the rules with `waybill rules`; one of every repo is removed with `--everywhere`, and over HTTP without the repo in the path.',
  });
}
