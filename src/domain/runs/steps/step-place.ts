import type { RetryPolicy } from '../../../contract/workflow.ts';

/** Where in the run a step is asked for. */
export interface StepPlace {
  readonly scope: readonly string[];
  readonly task: string | null;
}

/** Times and bounds of steps whose caller and configuration say nothing. */
export const defaultDeadlineMs = 1_800_000;
export const defaultGraceMs = 5_000;
/** What a timer can count; a longer time is no time with `setTimeout`. */
export const longestTimerMs = 2 ** 31 - 1;

/** The policy of a step, with `otherwise` for what it leaves open. */
export function retryPolicy(policy: RetryPolicy | undefined, otherwise: Required<RetryPolicy>): Required<RetryPolicy> {
  return {
    retries: policy?.retries ?? otherwise.retries,
    backoffMs: policy?.backoffMs ?? otherwise.backoffMs,
    maxBackoffMs: policy?.maxBackoffMs ?? otherwise.maxBackoffMs,
  };
}

export const noRetry: Required<RetryPolicy> = { retries: 0, backoffMs: 1_000, maxBackoffMs: 60_000 };
