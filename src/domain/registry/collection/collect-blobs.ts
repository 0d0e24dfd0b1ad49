import type { Digest } from '../../../contract/ids.ts';
import type { StoredBlob } from '../../../platform/blobs/blob-store.ts';
import { auditStatement } from '../../../platform/journal/audit.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Registry } from '../registry.ts';
import { type CollectionReport, Tally } from './collection-report.ts';
import type { GarbageLimits } from './garbage-limits.ts';
import { heldBlobs } from './held-blobs.ts';
import { strikeRunReferences } from './run-references.ts';

export interface BlobsRequest {
  readonly limits: GarbageLimits;
  readonly apply: boolean;
  readonly by: string;
  /** Digests held in memory at once, each costing one look through the runs a batch. */
  readonly batch: number;
  readonly stopped: () => boolean;
  /** Told after each batch how many files have been looked at. */
  readonly progress: (looked: number) => void;
}

type Parts = Pick<Registry, 'store' | 'blobs' | 'clock'>;
type Counted = Pick<CollectionReport, 'blobs' | 'snapshots'>;
/** Rows of `snapshot` deleted in one transaction. */
const rowsAtOnce = 500;

/**
 * Goes through all bytes in the order of their digests and removes those to which neither the registry nor a run refers,
 * with the rows of the trees whose lists they are. Memory is bounded by the batch, whatever lies there.
 */
export async function collectBlobs(parts: Parts, request: BlobsRequest): Promise<Counted> {
  const counts = new Counts();
  let batch: StoredBlob[] = [];
  for await (const blob of parts.blobs.list()) {
    if (request.stopped()) break;
    counts.total.add(blob.size);
    if (blob.storedAt >= request.limits.untouchedSince) counts.recent.add(blob.size);
    else batch.push(blob);
    if (batch.length < request.batch) continue;
    await collectBatch(parts, request, batch, counts);
    request.progress(counts.total.count);
    batch = [];
  }
  if (batch.length > 0) await collectBatch(parts, request, batch, counts);
  request.progress(counts.total.count);
  return counts.report;
}

class Counts {
  readonly total = new Tally();
  readonly recent = new Tally();
  readonly repo = new Tally();
  readonly run = new Tally();
  readonly collectable = new Tally();
  readonly removed = new Tally();
  readonly vanished = new Tally();
  readonly snapshots = { collectable: 0, removed: 0 };

  get report(): Counted {
    return {
      snapshots: this.snapshots,
      blobs: {
        total: this.total.amount,
        kept: { recent: this.recent.amount, repo: this.repo.amount, run: this.run.amount },
        collectable: this.collectable.amount,
        removed: this.removed.amount,
        vanished: this.vanished.amount,
      },
    };
  }
}

async function collectBatch(
  parts: Parts,
  request: BlobsRequest,
  batch: readonly StoredBlob[],
  counts: Counts,
): Promise<void> {
  const { store } = parts;
  const { limits, apply } = request;
  const held = await store.read((tx) =>
    heldBlobs(
      tx,
      batch.map(({ digest }) => digest),
      limits,
      !apply,
    ),
  );
  const left = new Map<string, StoredBlob>();
  for (const blob of batch) {
    if (held.has(blob.digest)) counts.repo.add(blob.size);
    else left.set(blob.digest, blob);
  }
  const unnamed = new Map(left);
  const trees = await treesOf(
    parts,
    [...left.values()].map(({ digest }) => digest),
  );
  // The list of a tree that was recorded lately is about to be named.
  for (const { manifest } of trees.filter((tree) => tree.createdAt >= limits.unrecordedSince)) unnamed.delete(manifest);
  const old = trees.filter((tree) => tree.createdAt < limits.unrecordedSince);
  const unnamedTrees = new Set(old.map(({ digest }) => digest));
  await strikeRunReferences(parts, { blobs: unnamed, trees: unnamedTrees }, request.stopped);
  // Half a look proves nothing.
  if (request.stopped()) {
    for (const blob of left.values()) counts.run.add(blob.size);
    return;
  }
  for (const tree of old) if (!unnamedTrees.has(tree.digest)) unnamed.delete(tree.manifest);
  const unused = old.filter((tree) => unnamedTrees.has(tree.digest));
  counts.snapshots.collectable += unused.length;
  if (apply) {
    const kept = await removeTrees(parts, unused, request, counts);
    for (const tree of kept) unnamed.delete(tree.manifest);
  }
  for (const [digest, blob] of left) (unnamed.has(digest) ? counts.collectable : counts.run).add(blob.size);
  if (apply) await removeBytes(parts, [...unnamed.values()], request, counts);
}

interface Tree {
  readonly digest: string;
  readonly manifest: string;
  readonly createdAt: number;
}

/** The trees whose lists are among these bytes. */
async function treesOf({ store }: Parts, digests: readonly Digest[]): Promise<readonly Tree[]> {
  const trees: Tree[] = [];
  for (let at = 0; at < digests.length; at += rowsAtOnce) {
    const asked = digests.slice(at, at + rowsAtOnce);
    const rows = await store.read((tx) =>
      tx.db
        .selectFrom('snapshot')
        .select(['digest', 'manifest', 'created_at'])
        .where('manifest', 'in', asked)
        .execute(),
    );
    for (const { digest, manifest, created_at } of rows) trees.push({ digest, manifest, createdAt: created_at });
  }
  return trees;
}

/** Removes rows of trees that no run names; resolves with those that somebody has recorded again since. */
async function removeTrees(
  { store, clock }: Parts,
  trees: readonly Tree[],
  { by, limits }: BlobsRequest,
  counts: Counts,
): Promise<readonly Tree[]> {
  const kept: Tree[] = [];
  for (let at = 0; at < trees.length; at += rowsAtOnce) {
    const some = trees.slice(at, at + rowsAtOnce);
    const gone = new Set<string>();
    await store.write(async (tx) => {
      const deleted = await tx.db
        .deleteFrom('snapshot')
        .where(
          'digest',
          'in',
          some.map(({ digest }) => digest),
        )
        // Whoever records a tree again moves this time in the commit that names it.
        .where('created_at', '<', limits.unrecordedSince)
        .returning('digest')
        .execute();
      for (const { digest } of deleted) gone.add(digest);
      const audit = [collected(clock.now(), by, { what: 'trees', count: gone.size })];
      await commit(tx, { change: async () => {}, audit: gone.size === 0 ? [] : audit });
    });
    counts.snapshots.removed += gone.size;
    kept.push(...some.filter(({ digest }) => !gone.has(digest)));
  }
  counts.snapshots.collectable -= kept.length;
  return kept;
}

async function removeBytes(
  { store, blobs, clock }: Parts,
  unused: readonly StoredBlob[],
  { by, limits, stopped }: BlobsRequest,
  counts: Counts,
): Promise<void> {
  const removed = new Tally();
  try {
    for (const { digest, size } of unused) {
      if (stopped()) break;
      const how = await blobs.remove(digest, { untouchedSince: limits.untouchedSince });
      if (how === 'removed') removed.add(size);
      else {
        counts.collectable.take(size);
        (how === 'kept' ? counts.recent : counts.vanished).add(size);
      }
    }
  } finally {
    // No transaction spans files: what went is told at once, also when the rest could not go.
    if (removed.count > 0) {
      const audit = collected(clock.now(), by, { what: 'bytes', count: removed.count, bytes: removed.bytes });
      await store.submit({ statements: [auditStatement([audit])] });
      counts.removed.count += removed.count;
      counts.removed.bytes += removed.bytes;
    }
  }
}

function collected(
  at: number,
  actor: string,
  details: { readonly what: string; readonly count: number; readonly bytes?: number },
) {
  return { at, actor, action: 'blobs.collected', resource: 'blobs', outcome: 'succeeded', details } as const;
}
