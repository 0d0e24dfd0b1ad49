import { type Dirent, readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SnapshotOmission } from '../../domain/runs/ports.ts';
import { systemCode } from '../../platform/files/file-write-failed.ts';
import { childOf, isNeverIn, type PathKey, shownPath, systemPath } from './tree-path.ts';

export interface WalkResult {
  /** Everything that is not a folder, in no order. */
  readonly keys: readonly PathKey[];
  readonly omitted: readonly SnapshotOmission[];
}

/** Folders read before other work of the process gets a turn. */
const foldersATurn = 64;

/**
 * Lists what lies below `from` ('' is the root). Links are names, never followed. `.git` and `.waybill` are not
 * looked at; a folder for which `leaveOut` is true is said as `excluded`, one that cannot be read as `unreadable`.
 */
export async function walk(
  root: string,
  from: PathKey,
  leaveOut: (folder: PathKey) => boolean,
  signal?: AbortSignal,
): Promise<WalkResult> {
  const keys: PathKey[] = [];
  const omitted: SnapshotOmission[] = [];
  const folders: PathKey[] = [from];
  for (let read = 1; ; read++) {
    const folder = folders.pop();
    if (folder === undefined) return { keys, omitted };
    if (read % foldersATurn === 0) await nextTurn();
    signal?.throwIfAborted();
    const entries = readFolder(root, folder);
    if (typeof entries === 'string') {
      omitted.push({ path: shownPath(folder).path, reason: entries });
      continue;
    }
    for (const entry of entries) {
      const key = childOf(folder, entry.name);
      if (isNeverIn(key)) continue;
      if (!entry.isDirectory()) keys.push(key);
      else if (leaveOut(key)) omitted.push({ path: shownPath(key).path, reason: 'excluded' });
      else folders.push(key);
    }
  }
}

function readFolder(root: string, folder: PathKey): readonly Dirent<string | Buffer>[] | 'vanished' | 'unreadable' {
  const path = folder === '' ? root : systemPath(root, folder);
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    // U+FFFD stands where bytes were not UTF-8 (or is really in the name): only then the bytes are asked for.
    if (!entries.some((entry) => entry.name.includes('\ufffd'))) return entries;
    return readdirSync(path, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'vanished';
    if (code === 'EACCES' || code === 'EPERM' || code === 'EIO') return 'unreadable';
    throw error;
  }
}
