import type { z } from 'zod';
import type { RuleKindName } from '../../../contract/api/policy.ts';
import type { Coordinate, Entry } from '../package-types/package-type.ts';

/** All that rules may look at: what a version is, and where it comes from. Nothing of who asks. */
export interface VersionFacts {
  readonly coordinate: Coordinate;
  /** Of the content, as it is or would be published. */
  readonly digest: string;
  readonly entries: readonly Entry[];
  readonly manifest: { readonly digest: string; readonly mediaType: string };
  /** Whether a signed attestation is stored with it. */
  readonly attested: boolean;
  readonly run: string | null;
  /** Whether its run began in a checkout with changes that were not committed; null when that is not known. */
  readonly dirty: boolean | null;
}

/** One thing a rule can look at. */
export interface RuleKind {
  readonly kind: RuleKindName;
  /** Why a version is hit, in words; null when it is not. Pure. @throws when the parameters are not its own */
  why(parameters: unknown, facts: VersionFacts): string | null;
}

export function ruleKind<P extends z.ZodType>(
  kind: RuleKindName,
  parameters: P,
  why: (parameters: z.output<P>, facts: VersionFacts) => string | null,
): RuleKind {
  return { kind, why: (given, facts) => why(parameters.parse(given), facts) };
}
