import { foldPath } from './fold-path.ts';

export interface PathConflict {
  readonly path: string;
  /** The other path, which may be in the same request or in the version already. */
  readonly other: string;
  /** `case`: file systems that do not tell case apart see one file; `folder`: one is a file, and a folder of the other. */
  readonly kind: 'case' | 'folder';
}

/** The folders above a path: `a` and `a/b` of `a/b/c`. */
export function foldersOf(path: string): readonly string[] {
  const folders: string[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at));
  return folders;
}

/** Pairs of different paths that cannot lie in one folder on every file system; each pair once. Linear in their lengths. */
export function pathConflicts(paths: readonly string[]): readonly PathConflict[] {
  const conflicts: PathConflict[] = [];
  const files = new Map<string, string>();
  for (const path of paths) {
    const folded = foldPath(path);
    const other = files.get(folded);
    if (other === undefined) files.set(folded, path);
    else if (other !== path) conflicts.push({ path, other, kind: 'case' });
  }
  for (const path of paths) {
    for (const folder of foldersOf(foldPath(path))) {
      const file = files.get(folder);
      if (file !== undefined) conflicts.push({ path, other: file, kind: 'folder' });
    }
  }
  return conflicts;
}
