/** Full jitter: any time up to a bound that doubles with each failure, so that many clients do not come back at once. */
export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** @param failures how many there were in a row, from 1 */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number): number {
  return Math.random() * Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
}

/** Resolves after `ms`, or as soon as the signal is aborted. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  const over = Promise.withResolvers<void>();
  const end = () => over.resolve();
  const timer = setTimeout(end, ms);
  signal?.addEventListener('abort', end, { once: true });
  await over.promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', end);
}
