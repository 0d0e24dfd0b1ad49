import type { NewRule } from '../../../contract/api/policy.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { makeWellFormed } from '../../../platform/files/make-well-formed.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { commit } from '../../../platform/journal/commit.ts';
import { redactText } from '../../../platform/redaction/redactor.ts';
import type { LockedTx } from '../../../platform/store/store.ts';
import { recordingRefusal } from '../recording-refusal.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { decide } from './decide.ts';
import { quarantineRecords } from './publish-refusals.ts';
import { publishedFacts } from './published-facts.ts';
import { type PolicyRule, ruleOf } from './rule-row.ts';

export interface MadeRule {
  /** False when a rule that says the same stands already: nothing was done. */
  readonly created: boolean;
  readonly rule: PolicyRule;
  /** How many published versions it keeps from being downloaded. */
  readonly quarantined: number;
}

/**
 * Makes a rule. One that blocks downloads holds back what is published already, in the same transaction; no publish
 * passes it meanwhile. A rule that stands and looks at and blocks the same is found again.
 * @param request.repo where it holds; null is every repo
 * @throws WaybillError `repo_not_found`
 */
export function makeRule(
  registry: Registry,
  request: { readonly repo: string | null; readonly rule: NewRule },
  by: string,
): Promise<MadeRule> {
  const { repo, rule: asked } = request;
  const { store, clock } = registry;
  const ruleId = makeId('policyRule');
  const details = { repo, kind: asked.kind, blocks: asked.blocks };
  return recordingRefusal(registry, { action: 'policy.rule.made', resource: ruleId, by, details }, () =>
    store.locked({ table: 'policy_lock', key: { id: 1 } }, async (tx) => {
      if (repo !== null) await holdRepo(registry, tx, repo);
      const standing = await sameRule(tx, repo, asked);
      if (standing !== null) return { created: false, rule: standing, quarantined: await countHeld(tx, standing) };
      const at = clock.now();
      const rule: PolicyRule = {
        ruleId,
        repo,
        kind: asked.kind,
        parameters: { ...asked.parameters },
        blocks: asked.blocks,
        reason: makeWellFormed(redactText(asked.reason).text).value,
        made: { at, by },
        removed: null,
      };
      await commit(tx, {
        change: async () => {
          const { kind, blocks, reason } = rule;
          const parameters = canonicalJson(rule.parameters);
          const row = { id: ruleId, repo, kind, parameters, blocks, reason, made_at: at, made_by: by };
          await tx.db.insertInto('policy_rule').values(row).execute();
        },
        audit: [
          {
            at,
            actor: by,
            action: 'policy.rule.made',
            resource: ruleId,
            outcome: 'succeeded',
            reason: rule.reason,
            details: { ...details, parameters: rule.parameters },
          },
        ],
      });
      return { created: true, rule, quarantined: rule.blocks === 'publish' ? 0 : await holdBack(registry, tx, rule) };
    }),
  );
}

async function sameRule(tx: LockedTx, repo: string | null, asked: NewRule): Promise<PolicyRule | null> {
  const row = await tx.db
    .selectFrom('policy_rule')
    .selectAll()
    .where('repo', repo === null ? 'is' : '=', repo)
    .where('removed_at', 'is', null)
    .where('kind', '=', asked.kind)
    .where('parameters', '=', canonicalJson(asked.parameters))
    .where('blocks', '=', asked.blocks)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : ruleOf(row);
}

async function countHeld(tx: LockedTx, { ruleId }: PolicyRule): Promise<number> {
  const row = await tx.db
    .selectFrom('quarantine')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('rule', '=', ruleId)
    .where('released_at', 'is', null)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** A repo that is not deleted until this transaction has ended. @throws WaybillError `repo_not_found` */
async function holdRepo({ store }: Registry, tx: LockedTx, repo: string): Promise<void> {
  const row = tx.db.selectFrom('repo').select('key').where('key', '=', repo);
  if (store.engine === 'postgres') await row.forKeyShare().execute();
  await requireRepo(tx, repo);
}

/** Those of the versions that are published and stay so until this transaction has ended. */
async function stillPublished({ store }: Registry, tx: LockedTx, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = tx.db.selectFrom('version').select('id').where('id', 'in', ids).where('state', '=', 'published');
  const found = await (store.engine === 'postgres' ? rows.orderBy('id').forShare() : rows).execute();
  return new Set(found.map(({ id }) => id));
}

/** Quarantines every published version the rule hits, page by page. */
async function holdBack(registry: Registry, tx: LockedTx, rule: PolicyRule): Promise<number> {
  const { repo, made } = rule;
  let count = 0;
  for (let after = ''; ; ) {
    const page = await publishedFacts(tx, rule, { repo, after });
    const last = page.at(-1);
    if (last === undefined) return count;
    after = last.versionId;
    const found = page.flatMap(({ facts, ...version }) => {
      const decision = decide([rule], facts);
      return decision.allowed ? [] : [{ version, hits: decision.hits }];
    });
    if (found.length === 0) continue;
    const ids = found.map(({ version }) => version.versionId);
    const published = await stillPublished(registry, tx, ids);
    const hit = found.filter(({ version }) => published.has(version.versionId));
    if (hit.length === 0) continue;
    count += hit.length;
    await commit(tx, {
      change: async () => {
        const rows = hit.flatMap(({ version, hits }) =>
          hits.map(({ why }) => ({
            repo: version.repo,
            version: version.versionId,
            rule: rule.ruleId,
            reason: why,
            at: made.at,
          })),
        );
        await tx.db.insertInto('quarantine').values(rows).execute();
      },
      audit: hit.flatMap(({ version, hits }) => quarantineRecords(version, hits, made)),
    });
  }
}
