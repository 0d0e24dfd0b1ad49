import { type BigIntStats, statSync } from 'node:fs';

/**
 * What changes when a file is written or replaced, as text; undefined when nothing is there. One call of the system,
 * because it is asked before each use of a tool.
 */
export function fileStamp(path: string): string | undefined {
  let stats: BigIntStats | undefined;
  try {
    stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    // Not readable, or a link in a circle: whoever opens it says why.
    return undefined;
  }
  if (stats === undefined) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return `${dev}-${ino}-${size}-${mtimeNs}-${ctimeNs}`;
}

/** Within this time a second write may leave the same stamp: the clock of a file system ticks in milliseconds. */
const tickMs = 100n;

/** True when a file with this stamp was written just now, so that an equal stamp proves nothing yet. */
export function isRacy(stamp: string): boolean {
  const changedNs = BigInt(stamp.slice(stamp.lastIndexOf('-') + 1));
  return BigInt(Date.now()) - changedNs / 1_000_000n < tickMs;
}
