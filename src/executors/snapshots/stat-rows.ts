import { constants, lstatSync, type Stats } from 'node:fs';
import { type PathKey, systemPath } from './tree-path.ts';

/**
 * What is known about files without reading them, one row each in a flat array: mode, size, mtime, ctime, inode.
 * Times are the milliseconds Node gives: doubles that hold the nanoseconds of the file system to a quarter of a
 * microsecond, finer than any kernel's clock for files ticks.
 */
export const rowWidth = 5;
const mode = 0;
const ctime = 3;
const mtime = 2;

/** In place of a mode: nothing is there, or it cannot be looked at. */
export const absent = 0;
export const unreadable = -1;

const noThrow = { throwIfNoEntry: false } as const;

export function writeRow(rows: Float64Array, index: number, stats: Stats): void {
  const at = index * rowWidth;
  rows[at] = stats.mode;
  rows[at + 1] = stats.size;
  rows[at + mtime] = stats.mtimeMs;
  rows[at + ctime] = stats.ctimeMs;
  rows[at + 4] = stats.ino;
}

/** One `lstat`; what cannot be looked at is an answer too. */
export function lookAt(root: string, key: PathKey): Stats | 'absent' | 'unreadable' {
  try {
    return lstatSync(systemPath(root, key), noThrow) ?? 'absent';
  } catch {
    // Whatever keeps us from looking (permission, input/output, a name too long), the entry is said as unreadable.
    return 'unreadable';
  }
}

/** Keys that are taken at a time. */
const share = 128;

/**
 * Takes the next few keys of a round and looks at them. `next` may be in shared memory, with other threads taking
 * keys at the same time; each row is written by one of them.
 * @returns false when no keys were left
 */
export function lookAtSome(root: string, keys: readonly PathKey[], rows: Float64Array, next: Int32Array): boolean {
  const from = Atomics.add(next, 0, share);
  const end = Math.min(from + share, keys.length);
  for (let index = from; index < end; index++) {
    const seen = lookAt(root, keys[index] ?? '');
    if (typeof seen === 'object') writeRow(rows, index, seen);
    else rows[index * rowWidth + mode] = seen === 'absent' ? absent : unreadable;
  }
  return end < keys.length;
}

export function modeOf(rows: Float64Array, index: number): number {
  return rows[index * rowWidth + mode] ?? absent;
}

export type Kind =
  | 'file'
  | 'executable'
  | 'symlink'
  | 'folder'
  | 'fifo'
  | 'socket'
  | 'device'
  | 'absent'
  | 'unreadable';

export function kindOf(fileMode: number): Kind {
  if (fileMode === absent) return 'absent';
  if (fileMode === unreadable) return 'unreadable';
  switch (fileMode & constants.S_IFMT) {
    case constants.S_IFREG:
      return (fileMode & constants.S_IXUSR) === 0 ? 'file' : 'executable';
    case constants.S_IFLNK:
      return 'symlink';
    case constants.S_IFDIR:
      return 'folder';
    case constants.S_IFIFO:
      return 'fifo';
    case constants.S_IFSOCK:
      return 'socket';
    default:
      return 'device';
  }
}

/** True when both rows say the same; a distrusted row equals nothing, itself included. */
export function sameRow(a: Float64Array, indexA: number, b: Float64Array, indexB: number): boolean {
  for (let column = 0; column < rowWidth; column++) {
    if (a[indexA * rowWidth + column] !== b[indexB * rowWidth + column]) return false;
  }
  return true;
}

/** Marks a row so that the file is read again next time. */
export function distrust(rows: Float64Array, index: number): void {
  rows[index * rowWidth + mtime] = Number.NaN;
}

/**
 * True when a write after the look could have left the same times as it found ("racy git", git's
 * Documentation/technical/racy-git.txt): the file was changed so shortly before `lookedMs` that the clock for files
 * (it ticks every 1 to 10 ms, or whole seconds on some file systems) may not have moved on.
 */
export function isRacy(rows: Float64Array, index: number, lookedMs: number): boolean {
  const [changed, modified] = [rows[index * rowWidth + ctime] ?? 0, rows[index * rowWidth + mtime] ?? 0];
  const slack = changed % 1000 === 0 ? 2_000 : 20;
  return changed >= lookedMs - slack || Math.abs(modified - lookedMs) <= slack;
}
