/** Rows of the rules of the registry. Times are microseconds UTC. */
export interface PolicyRuleTable {
  id: string;
  /** Null for all repos. */
  repo: string | null;
  kind: string;
  /** Canonical JSON; the kind says what is in it. */
  parameters: string;
  blocks: 'publish' | 'download' | 'both';
  reason: string;
  made_at: number;
  made_by: string;
  removed_at: number | null;
  removed_by: string | null;
}

/** A version that a rule keeps from being downloaded. */
export interface QuarantineTable {
  repo: string;
  version: string;
  rule: string;
  /** Why the rule hits this version. */
  reason: string;
  at: number;
  released_at: number | null;
}

/** One row: whoever publishes shares its lock, whoever makes a rule has it alone. */
export interface PolicyLockTable {
  id: number;
}

declare module '../../../platform/store/store.ts' {
  interface Database {
    policy_rule: PolicyRuleTable;
    quarantine: QuarantineTable;
    policy_lock: PolicyLockTable;
  }
}
