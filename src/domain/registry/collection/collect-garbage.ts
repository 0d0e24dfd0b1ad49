import { formatTime } from '../../../platform/clock/clock.ts';
import type { Registry } from '../registry.ts';
import { collectBlobs } from './collect-blobs.ts';
import { collectRows } from './collect-rows.ts';
import type { CollectionReport } from './collection-report.ts';
import { garbageLimits } from './garbage-limits.ts';

export interface CollectionRequest {
  /** False only says what would be removed. */
  readonly apply: boolean;
  /** Aborted: it ends after the transaction or file at hand. Nothing is lost, and the next one begins anew. */
  readonly signal?: AbortSignal;
  /** Told how many files have been looked at. */
  readonly progress?: (looked: number) => void;
  /** Bytes looked at together, and rows a transaction. Given by tests. */
  readonly batch?: { readonly blobs: number; readonly rows: number };
}

/** Hundred bytes each: a few megabytes. */
const usualBatch = { blobs: 20_000, rows: 500 };

/**
 * Removes what nobody refers to: first rows that let bytes be read in a repo, then the bytes. Kept is what a draft, a
 * version, a run or a running upload refers to, and all that was put or touched within the grace time. It works in
 * batches and remembers nothing: whenever it is stopped or killed, all that is left is right, and the next one goes on.
 * Any number may be at work at once, beside everything else.
 * @throws WaybillError `store_*`, `file_*`; what was removed until then stays removed
 */
export async function collectGarbage(
  registry: Pick<Registry, 'store' | 'blobs' | 'clock' | 'settings'>,
  request: CollectionRequest,
  by: string,
): Promise<CollectionReport> {
  const { apply, signal, progress = () => {}, batch = usualBatch } = request;
  const stopped = () => signal?.aborted === true;
  // Before anything is read: a reference that is committed later is to bytes that were touched later.
  const limits = await garbageLimits(registry);
  const common = { limits, apply, by, stopped };
  const repoBlobs = await collectRows(registry, { ...common, batch: batch.rows });
  const counted = await collectBlobs(registry, { ...common, batch: batch.blobs, progress });
  return {
    applied: apply,
    complete: !stopped(),
    untouchedSince: formatTime(limits.untouchedSince),
    repoBlobs,
    ...counted,
  };
}
