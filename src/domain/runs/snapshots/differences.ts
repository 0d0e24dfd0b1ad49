import type { Digest } from '../../../contract/ids.ts';
import { compareEntries, treeDigest } from '../../../platform/trees/tree-digest.ts';
import type { Snapshot, SnapshotEntry, TreeDifference } from '../ports.ts';

/**
 * The full digest of a snapshot, computed from what it lists: `verify` recomputes it, offline.
 * @throws WaybillError `not_canonical` when an entry has a path no file can have
 */
export function snapshotDigest(rule: Snapshot['rule'], entries: readonly SnapshotEntry[]): Digest {
  return treeDigest(rule, entries);
}

/**
 * What has to happen to tree `before` to become tree `after`, by path. A file whose content, kind or executable
 * bit differs is `changed`; a renamed one is `removed` and `added`.
 */
export function differences(before: readonly SnapshotEntry[], after: readonly SnapshotEntry[]): TreeDifference[] {
  const [left, right] = [before.toSorted(compareEntries), after.toSorted(compareEntries)];
  const found: TreeDifference[] = [];
  let [l, r] = [0, 0];
  for (;;) {
    const [old, now] = [left[l], right[r]];
    if (old === undefined && now === undefined) return found;
    const order = old === undefined ? 1 : now === undefined ? -1 : compareEntries(old, now);
    if (order < 0 && old !== undefined) found.push({ path: old.path, change: 'removed' });
    if (order > 0 && now !== undefined) found.push({ path: now.path, change: 'added' });
    if (order === 0 && old !== undefined && now !== undefined && !sameFile(old, now)) {
      found.push({ path: now.path, change: 'changed' });
    }
    if (order <= 0) l++;
    if (order >= 0) r++;
  }
}

function sameFile(a: SnapshotEntry, b: SnapshotEntry): boolean {
  return a.digest === b.digest && a.kind === b.kind && a.size === b.size;
}
