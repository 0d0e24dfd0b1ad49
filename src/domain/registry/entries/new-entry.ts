import { mostEntries } from '../../../contract/api/entries.ts';
import type { Digest } from '../../../contract/ids.ts';
import { pathConflicts } from './path-conflicts.ts';
import { pathProblems } from './path-problems.ts';

/** One thing that is wrong with a request, at a place in it: `entries[3].path`. */
export interface RequestProblem {
  readonly path: string;
  readonly message: string;
}

/** Hex digests of the same bytes, by algorithm. */
export type Checksums = { readonly [algorithm in 'sha256' | 'sha512' | 'sha1']?: string | undefined };

/** A file a draft is to be given; its blob is in the repo already. */
export interface NewEntry {
  readonly path: string;
  readonly digest: Digest;
  /** In bytes; must be that of the blob. */
  readonly size: number;
  /** Null, or left out, says nothing of it: an entry that has one keeps it. */
  readonly mediaType?: string | null | undefined;
  readonly checksums?: Checksums | undefined;
}

/** What is wrong with entries by themselves, whatever the draft holds: all of it, in the order of the request. */
export function entryProblems(entries: readonly NewEntry[]): readonly RequestProblem[] {
  if (entries.length > mostEntries) {
    return [{ path: 'entries', message: `must be at most ${mostEntries}: no version has more files` }];
  }
  const found: { readonly index: number; readonly problem: RequestProblem }[] = [];
  const say = (index: number, part: string, message: string) =>
    found.push({ index, problem: { path: `entries[${index}].${part}`, message } });
  const places = new Map<string, number[]>();
  entries.forEach(({ path }, index) => {
    for (const message of pathProblems(path)) say(index, 'path', message);
    const same = places.get(path);
    if (same === undefined) places.set(path, [index]);
    else same.push(index);
  });
  for (const indices of places.values()) {
    if (indices.length === 1) continue;
    const [first, second] = indices;
    for (const index of indices) {
      say(index, 'path', `is named twice: also by entries[${index === first ? second : first}].path`);
    }
  }
  for (const { path, other, kind } of pathConflicts([...places.keys()])) {
    const [index = 0] = places.get(path) ?? [];
    const [otherIndex = 0] = places.get(other) ?? [];
    say(index, 'path', conflictText(kind, `entries[${otherIndex}].path`));
    if (kind === 'case') say(otherIndex, 'path', conflictText(kind, `entries[${index}].path`));
  }
  return found.sort((a, b) => a.index - b.index).map(({ problem }) => problem);
}

export function conflictText(kind: 'case' | 'folder', other: string): string {
  return kind === 'case' ? `differs only in case from ${other}` : `lies in a folder that is a file: ${other}`;
}
