import type { NewRule } from '../../../contract/api/policy.ts';
import { quarantinedView, ruleView } from '../../../views/registry.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

interface ListQuery {
  readonly removed: boolean;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Rules of one repo, and those of every repo: what a version may be is said by them only, and by no route about a version. */
export function ruleHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  const make = async (repo: string | null, rule: NewRule, by: string) => {
    const { makeRule } = await import('../../../domain/registry/policy/make-rule.ts');
    const made = await makeRule(registry, { repo, rule }, by);
    const body = { rule: ruleView(made.rule), quarantined: made.quarantined };
    return { status: made.created ? (201 as const) : (200 as const), headers: {}, body };
  };
  const list = async (repo: string | null, { removed, limit, cursor }: ListQuery) => {
    const { listRules } = await import('../../../domain/registry/policy/list-rules.ts');
    const page = await listRules(registry, { repo, removed, limit, cursor: cursor ?? null });
    return { rules: page.rules.map(ruleView), nextCursor: page.nextCursor };
  };
  const remove = async (repo: string | null, ruleId: string, by: string) => {
    const { removeRule } = await import('../../../domain/registry/policy/remove-rule.ts');
    const { rule, released } = await removeRule(registry, { repo, ruleId }, by);
    return { rule: ruleView(rule), released };
  };
  return {
    make: api.rules.make.handler(({ input: { params, body }, context }) =>
      make(params.repoKey, body, context.caller.actor),
    ),
    list: api.rules.list.handler(({ input: { params, query } }) => list(params.repoKey, query)),
    remove: api.rules.remove.handler(({ input: { params }, context }) =>
      remove(params.repoKey, params.ruleId, context.caller.actor),
    ),
    makeEverywhere: api.rules.makeEverywhere.handler(({ input: { body }, context }) =>
      make(null, body, context.caller.actor),
    ),
    listEverywhere: api.rules.listEverywhere.handler(({ input: { query } }) => list(null, query)),
    removeEverywhere: api.rules.removeEverywhere.handler(({ input: { params }, context }) =>
      remove(null, params.ruleId, context.caller.actor),
    ),
  };
}

export function quarantineHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    list: api.quarantine.list.handler(async ({ input: { params, query } }) => {
      const { listQuarantine } = await import('../../../domain/registry/policy/list-quarantine.ts');
      const { released, limit, cursor = null } = query;
      const page = await listQuarantine(registry, { repo: params.repoKey, released, limit, cursor });
      return { quarantine: page.quarantine.map(quarantinedView), nextCursor: page.nextCursor };
    }),
  };
}
