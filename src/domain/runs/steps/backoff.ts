import { setTimeout as delay } from 'node:timers/promises';
import type { RetryPolicy } from '../../../contract/workflow.ts';

/**
 * Full jitter: a uniformly random wait between 0 and the exponential bound, which spreads retries best
 * (AWS Architecture Blog, "Exponential Backoff and Jitter").
 * @param failures failures so far, 1 for the first
 * @returns milliseconds
 */
export function fullJitter(
  failures: number,
  policy: Required<RetryPolicy>,
  random: () => number = Math.random,
): number {
  const bound = Math.min(policy.maxBackoffMs, policy.backoffMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor(random() * bound);
}

/** Waits; rejects at once when the signal is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}
