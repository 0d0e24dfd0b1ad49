import { type FSWatcher, lstatSync, watch } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GitOptions } from '../git/run-git.ts';
import { listFiles } from '../snapshots/list-files.ts';
import { foldersGitReads } from '../snapshots/listing-proof.ts';
import { lookAt, rowWidth, sameRow, writeRow } from '../snapshots/stat-rows.ts';

/** More folders than this are not watched: the kernel's watches are a common good. */
const mostFolders = 1_000;
/** Of the checkout's own data, what HEAD, branch and remotes depend on; looked at, because git replaces these files. */
const ofGit: readonly string[] = [
  '.git/HEAD',
  '.git/index',
  '.git/config',
  '.git/packed-refs',
  '.git/logs/HEAD',
  '.git/info/exclude',
];

export interface CheckoutWatch {
  /** False from the first change on; every change made before the call is taken into account. */
  isUnchanged(): Promise<boolean>;
  close(): void;
}

/**
 * Watches what `git status` reads: folders with tracked or new files through the kernel, git's own files by a look.
 * Writes through a memory map are not told by Linux; the record says when the facts were read.
 * @returns undefined where watching is not possible or would not tell all: the facts must then be read each time
 */
export async function watchCheckout(root: string, git: GitOptions): Promise<CheckoutWatch | undefined> {
  // Elsewhere than on Linux events come late, and then a change that was just made would be missed.
  if (process.platform !== 'linux' || !isFolder(`${root}/.git`)) return undefined;
  const folders = await foldersToWatch(root, git);
  if (folders === undefined) return undefined;
  let changed = false;
  const watchers: FSWatcher[] = [];
  const close = (): void => {
    for (const watcher of watchers.splice(0)) watcher.close();
  };
  try {
    for (const folder of folders) {
      const watcher = watch(folder === '' ? root : `${root}/${folder}`, { persistent: false });
      watchers.push(watcher);
      watcher.on('error', () => {
        changed = true;
      });
      watcher.on('change', (_event, name) => {
        if (folder !== '' || (name !== '.git' && name !== '.waybill')) changed = true;
      });
    }
  } catch {
    // Too many watches, or a folder that has just gone: no watch, so the facts are read each time.
    close();
    return undefined;
  }
  const before = lookAtGit(root);
  let toCome: Promise<boolean> | undefined;
  const look = async (): Promise<boolean> => {
    // Many runs may begin in one turn of the event loop: those that ask before a look has begun share it.
    await nextTurn();
    toCome = undefined;
    // One whole turn hands over what the kernel has queued by now.
    await nextTurn();
    await nextTurn();
    const now = lookAtGit(root);
    return !changed && ofGit.every((_path, index) => sameRow(before, index, now, index));
  };
  return {
    isUnchanged: () => {
      toCome ??= look();
      return toCome;
    },
    close,
  };
}

/** The folders as they are now; a folder that comes later shows in the one above it. */
async function foldersToWatch(root: string, git: GitOptions): Promise<ReadonlySet<string> | undefined> {
  try {
    const listing = await listFiles({ root, include: [], exclude: [] }, git);
    if (listing.rule !== 'git' || listing.omitted.length > 0) return undefined;
    // A submodule or a checkout inside has files of its own that nobody here watches.
    if (listing.keys.some((key) => key.startsWith('/') || key.endsWith('/') || key === '.gitmodules')) return undefined;
    const seen = await foldersGitReads(root, listing, git);
    return seen === undefined || seen.folders.size > mostFolders ? undefined : seen.folders;
  } catch {
    // Whatever keeps git from listing shows in the facts themselves, with its reason.
    return undefined;
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function lookAtGit(root: string): Float64Array {
  const rows = new Float64Array(ofGit.length * rowWidth);
  for (const [index, path] of ofGit.entries()) {
    const seen = lookAt(root, path);
    if (typeof seen === 'object') writeRow(rows, index, seen);
  }
  return rows;
}
