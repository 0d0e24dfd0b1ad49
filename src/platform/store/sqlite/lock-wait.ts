import { setTimeout as wait } from 'node:timers/promises';
import { isBusy } from './errors.ts';

/** How long a process waits for another one's lock unless it is told otherwise, in milliseconds. */
export const defaultLockWaitMs = 10_000;

/**
 * A pause before the lock is asked for again. Full jitter, and short: the holder lets go only for an instant
 * between two commits, so what counts is how often, and at how uneven times, one knocks.
 */
export async function pauseForLock(attempt: number): Promise<void> {
  await wait(Math.random() * Math.min(8, 1 + attempt));
}

/** Tries until the lock is free; the last busy error is thrown when `waitMs` are over. */
export async function retryWhileBusy<T>(attemptOnce: () => T, waitMs: number = defaultLockWaitMs): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return attemptOnce();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
    }
    await pauseForLock(attempt);
  }
}
