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

/**
 * Pairs of different paths that cannot lie in one folder on every file system: of twins each pair once, and of a file that
 * lies in others only the nearest, or a request of a few megabytes would have millions of pairs. Sorted, what lies in a
 * folder follows it at once: nobody looks at each folder of each path.
 */
export function pathConflicts(paths: readonly string[]): readonly PathConflict[] {
  const conflicts: PathConflict[] = [];
  const files = new Map<string, string>();
  const folded = paths.map(foldPath);
  paths.forEach((path, index) => {
    const own = folded[index] ?? path;
    const other = files.get(own);
    if (other === undefined) files.set(own, path);
    else if (other !== path) conflicts.push({ path, other, kind: 'case' });
  });
  const above = nearestFiles([...files.keys()]);
  paths.forEach((path, index) => {
    const other = files.get(above.get(folded[index] ?? path) ?? '');
    if (other !== undefined) conflicts.push({ path, other, kind: 'folder' });
  });
  return conflicts;
}

/** Of each path that lies in a file, the nearest such file. */
function nearestFiles(files: readonly string[]): ReadonlyMap<string, string> {
  // With its slash at the end, what is in a folder begins with the folder, and so comes right behind it.
  const folders = files.map((file) => `${file}/`).sort();
  const nearest = new Map<string, string>();
  const around: string[] = [];
  for (const folder of folders) {
    let last = around.at(-1);
    while (last !== undefined && !folder.startsWith(last)) {
      around.pop();
      last = around.at(-1);
    }
    if (last !== undefined) nearest.set(folder.slice(0, -1), last.slice(0, -1));
    around.push(folder);
  }
  return nearest;
}
