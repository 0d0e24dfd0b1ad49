import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { JsonObject } from '../../../contract/json.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import type { StandingRule } from './decide.ts';
import type { PolicyRuleTable } from './tables.ts';

/** A rule with who made it, and who ended it. */
export interface PolicyRule extends StandingRule {
  /** Null for every repo. */
  readonly repo: string | null;
  readonly made: { readonly at: Micros; readonly by: string };
  /** Null while it stands. */
  readonly removed: { readonly at: Micros; readonly by: string } | null;
}

const object = z.record(z.string(), z.json());

export function ruleOf(row: Selectable<PolicyRuleTable>): PolicyRule {
  const { id, repo, kind, parameters, blocks, reason, made_at, made_by, removed_at, removed_by } = row;
  return {
    ruleId: id,
    repo,
    kind,
    parameters: parametersOf(parameters),
    blocks,
    reason,
    made: { at: made_at, by: made_by },
    removed: removed_at === null || removed_by === null ? null : { at: removed_at, by: removed_by },
  };
}

/** What cannot be read fits no kind, and so a rule that was damaged blocks everything instead of nothing. */
function parametersOf(text: string): JsonObject {
  try {
    const parsed = object.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : { damaged: true };
  } catch {
    return { damaged: true };
  }
}
