import { lstat, realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { WaybillError } from '../../contract/errors.ts';
import { systemCode } from './file-write-failed.ts';

/**
 * Joins a path from outside under a root by its text alone: relative, forward slashes, no `..`, no NUL, no
 * backslash, and it must name something below the root. Links are not looked at: see `resolveInside`.
 * @returns the absolute path
 * @throws WaybillError `invalid_path`
 */
export function safeJoin(root: string, relative: string): string {
  return join(resolve(root), ...segmentsOf(relative));
}

function segmentsOf(relative: string): string[] {
  if (relative.includes('\0')) throw refused(relative, 'it holds a NUL character');
  if (!relative.isWellFormed()) throw refused(relative, 'it is not well-formed text');
  if (relative.includes('\\')) throw refused(relative, 'it holds a backslash');
  if (relative.startsWith('/')) throw refused(relative, 'it is absolute');
  const segments = relative.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) throw refused(relative, 'it holds `..`');
  if (segments.length === 0) throw refused(relative, 'it names nothing below the folder');
  return segments;
}

/**
 * Like `safeJoin`, and follows the links on the way: the result is the real path, below the real root. What does
 * not exist yet is allowed, a link to nothing is not (writing to it would make a file wherever it points).
 * True at the moment of the call: open the result with `O_NOFOLLOW` where somebody else may write to the tree.
 * @throws WaybillError `invalid_path`
 */
export async function resolveInside(root: string, relative: string): Promise<string> {
  const segments = segmentsOf(relative);
  try {
    const realRoot = await realpath(root);
    let at = realRoot;
    for (const [index, segment] of segments.entries()) {
      const next = join(at, segment);
      const stats = await lstatOrNothing(next);
      if (stats === undefined) return join(at, ...segments.slice(index));
      at = stats.isSymbolicLink() ? await realpath(next) : next;
      if (at !== realRoot && !at.startsWith(realRoot === sep ? sep : realRoot + sep)) {
        throw refused(relative, 'a link in it leads out of the folder');
      }
    }
    return at;
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    throw refused(relative, error instanceof Error ? error.message : String(error), error);
  }
}

async function lstatOrNothing(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function refused(path: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError('invalid_path', `not a usable path: ${JSON.stringify(path).slice(0, 300)}: ${why}`, {
    hint: 'Give a path relative to the folder, with forward slashes, that stays inside it.',
    cause,
  });
}
