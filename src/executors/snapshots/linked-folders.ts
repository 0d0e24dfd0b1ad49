import { lookAt, rowWidth } from './stat-rows.ts';
import { type PathKey, parentOf } from './tree-path.ts';

/**
 * A folder of tracked files may have been replaced by a link: git still lists the files, and looking at them would
 * go through the link and out of the tree. They count as not there; the link itself is listed too.
 */
export function hideWhatLiesBehindLinks(root: string, keys: readonly PathKey[], rows: Float64Array): void {
  const real = new Map<PathKey, boolean>([['', true]]);
  function isRealFolder(folder: PathKey): boolean {
    const answer = real.get(folder);
    if (answer !== undefined) return answer;
    const seen = isRealFolder(parentOf(folder)) ? lookAt(root, folder) : 'absent';
    const isReal = typeof seen === 'object' ? seen.isDirectory() : seen === 'unreadable';
    real.set(folder, isReal);
    return isReal;
  }
  for (const [index, key] of keys.entries()) {
    if (!isRealFolder(parentOf(key))) rows.fill(0, index * rowWidth, (index + 1) * rowWidth);
  }
}
