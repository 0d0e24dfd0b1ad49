import type { Webhooks } from './webhooks.ts';

/** A receiver is believed so far when it says how long it wants to be left alone. */
const mostRetryAfterMs = 3_600_000;

/**
 * How long to wait after so many tries: random up to a bound that doubles, so that many that failed at once do not come
 * back at once; never shorter than the receiver asked for, within an hour.
 * @param tries how many have failed, from 1
 * @param random from 0 to 1; given by tests
 */
export function backoffMs(
  { backoffMs: first, maxBackoffMs }: Pick<Webhooks['settings'], 'backoffMs' | 'maxBackoffMs'>,
  tries: number,
  retryAfterMs: number | null,
  random: () => number = Math.random,
): number {
  const bound = Math.min(maxBackoffMs, first * 2 ** Math.min(tries - 1, 30));
  return Math.round(Math.max(random() * bound, Math.min(retryAfterMs ?? 0, mostRetryAfterMs)));
}
