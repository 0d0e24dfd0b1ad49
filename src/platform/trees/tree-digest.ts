import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { digestOf } from '../digests/digest.ts';

/** One file of a tree, as it counts for the identity of the tree: no time, no owner, of the mode one bit. */
export interface TreeEntry {
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'symlink';
  readonly size: number;
  readonly digest: Digest;
  /** True when the bytes of the path are not UTF-8 and `path` is their `%XX` form. */
  readonly raw?: true;
}

/** The order of entries: by path in UTF-16 code units, an escaped path after the plain one that looks the same. */
export function compareEntries(a: TreeEntry, b: TreeEntry): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return Number(a.raw ?? false) - Number(b.raw ?? false);
}

/**
 * The identity of a tree: SHA-256 over a tag, the rule that chose the files, and one record an entry in
 * `compareEntries` order: `<kind> <utf8|raw> <size> <digest> <path>` ended by NUL, which no path can hold. Only
 * the path is of free form and it comes last, so no two different trees have the same bytes.
 * @throws WaybillError `not_canonical` for a path that no file can have
 */
export function treeDigest(rule: string, entries: readonly TreeEntry[]): Digest {
  let text = `waybill.tree.v1\n${rule}\n`;
  for (const entry of inOrder(entries)) {
    if (entry.path.includes('\0')) throw notAPath(entry.path);
    text += `${entry.kind} ${entry.raw === true ? 'raw' : 'utf8'} ${entry.size} ${entry.digest} ${entry.path}\0`;
  }
  if (!text.isWellFormed()) throw notAPath(entries.find((entry) => !entry.path.isWellFormed())?.path ?? '');
  return digestOf(text);
}

function inOrder(entries: readonly TreeEntry[]): readonly TreeEntry[] {
  for (let index = 1; index < entries.length; index++) {
    const [before, after] = [entries[index - 1], entries[index]];
    if (before && after && compareEntries(before, after) > 0) return entries.toSorted(compareEntries);
  }
  return entries;
}

function notAPath(path: string): WaybillError {
  return new WaybillError('not_canonical', `no file can have this path: ${JSON.stringify(path).slice(0, 300)}`, {
    hint: 'The list of files was changed or made by another program; capture the tree again.',
  });
}
