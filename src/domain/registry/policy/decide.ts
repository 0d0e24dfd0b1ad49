import type { JsonObject } from '../../../contract/json.ts';
import type { VersionFacts } from './rule-kind.ts';
import { ruleKinds } from './rule-kinds.ts';

/** A rule that stands, as far as a decision needs it. */
export interface StandingRule {
  readonly ruleId: string;
  readonly kind: string;
  readonly parameters: JsonObject;
  readonly blocks: 'publish' | 'download' | 'both';
  readonly reason: string;
}

/** A rule that hits a version, and why. */
export interface Hit {
  readonly ruleId: string;
  readonly kind: string;
  readonly blocks: StandingRule['blocks'];
  /** Of the rule. */
  readonly reason: string;
  /** Why it hits this version. */
  readonly why: string;
}

export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly hits: readonly Hit[] };

/**
 * The decision about one version: every rule that hits it, in the order given. Pure, so that the same rules and facts
 * always give the same answer. A rule of a kind this program does not know hits everything: it was made to keep
 * something back.
 */
export function decide(rules: readonly StandingRule[], facts: VersionFacts): Decision {
  const hits = rules.flatMap((rule) => {
    const why = whyHit(rule, facts);
    const { ruleId, kind, blocks, reason } = rule;
    return why === null ? [] : [{ ruleId, kind, blocks, reason, why }];
  });
  return hits.length === 0 ? { allowed: true } : { allowed: false, hits };
}

function whyHit({ kind, parameters }: StandingRule, facts: VersionFacts): string | null {
  const known = ruleKinds.get(kind);
  if (known === undefined) return `the kind of rule "${kind}" is not known here`;
  try {
    return known.why(parameters, facts);
  } catch {
    return `the parameters of the rule are not those of a rule of the kind "${kind}"`;
  }
}
