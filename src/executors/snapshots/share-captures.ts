import type { Snapshot, SnapshotRequest } from '../../domain/runs/ports.ts';

type Capture = (request: SnapshotRequest, signal: AbortSignal) => Promise<Snapshot>;

interface Waiting {
  readonly result: Promise<Snapshot>;
  readonly stop: AbortController;
  waiters: number;
}

/**
 * One capture at a time. Equal requests that arrive before theirs has begun share it, so fifty runs that finish a
 * step together cost two captures, not fifty. A capture stops when all who wait for it have gone.
 */
export function shareCaptures(
  capture: Capture,
  canceled: () => Error,
): (request: SnapshotRequest, signal?: AbortSignal) => Promise<Snapshot> {
  const waiting = new Map<string, Waiting>();
  let last: Promise<unknown> = Promise.resolve();

  function enqueue(key: string, request: SnapshotRequest): Waiting {
    const stop = new AbortController();
    const result = last.then(() => {
      if (waiting.get(key) === entry) waiting.delete(key);
      if (stop.signal.aborted) throw canceled();
      return capture(request, stop.signal);
    });
    const entry: Waiting = { result, stop, waiters: 0 };
    // Those who wait get the failure; the queue goes on.
    last = result.catch(() => undefined);
    waiting.set(key, entry);
    return entry;
  }

  return async (request, signal) => {
    if (signal?.aborted) throw canceled();
    const key = JSON.stringify([request.root, request.include, request.exclude]);
    const entry = waiting.get(key) ?? enqueue(key, request);
    entry.waiters++;
    const gone = Promise.withResolvers<never>();
    const leave = () => {
      if (--entry.waiters === 0) {
        if (waiting.get(key) === entry) waiting.delete(key);
        entry.stop.abort();
      }
      gone.reject(canceled());
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([entry.result, gone.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  };
}
