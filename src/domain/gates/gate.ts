import type { JsonObject } from '../../contract/json.ts';

/** What a gate found. `checked` counts what it looked at: nothing looked at is a failure, not a pass. */
export interface GateFindings {
  readonly outcome: 'passed' | 'failed';
  readonly checked: number;
  readonly problems: readonly { readonly where: string; readonly message: string }[];
}

/** A check as data: its result is evidence, bound to the digest of its definition and of its subject. */
export interface Gate<Subject> {
  readonly id: string;
  /** All that decides how it judges; another definition makes older evidence stale. */
  readonly definition: JsonObject;
  /** Reads, and changes nothing. A throw is the outcome `error`, and never a pass. */
  check(subject: Subject): Promise<GateFindings>;
}

/** How a required gate stands for one subject. */
export interface GateStanding {
  readonly gate: string;
  /** `missing`: no evidence for this subject; `stale`: only of another definition of the gate; `unknown`: there is no such gate. */
  readonly state: 'green' | 'red' | 'error' | 'missing' | 'stale' | 'unknown';
  /** The gate run that says so: `gr_<32 hex>`. */
  readonly evidence: string | null;
  readonly problems: readonly { readonly where: string; readonly message: string }[];
}
