import { lstatSync } from 'node:fs';
import { WaybillError } from '../../contract/errors.ts';
import type { SnapshotOmission, SnapshotRequest } from '../../domain/runs/ports.ts';
import { firstLine, type GitOptions, runGit, saysNoCheckout } from '../git/run-git.ts';
import { compilePatterns, startOf } from './path-pattern.ts';
import { isNeverIn, keyOf, keysIn, type PathKey, shownPath, systemPath } from './tree-path.ts';
import { walk } from './walk.ts';

export interface Listing {
  readonly rule: 'git' | 'walk';
  /** Every path that may be in the snapshot, sorted, each once; what they are is not known yet. */
  readonly keys: readonly PathKey[];
  readonly omitted: readonly SnapshotOmission[];
}

/**
 * Which files belong to the tree. In a checkout: what git tracks or would track (`ls-files --cached --others`), by
 * the ignore files of the checkout alone; a person's own ignore file does not count, or the same tree would have
 * another id for another user. Anywhere else, or without git: all files but `node_modules`. Then `include` adds
 * what the rule leaves out and `exclude` takes away, and is the stronger of the two.
 * @throws WaybillError `snapshot_failed` when there is a checkout that git cannot read: another rule, and so
 *   another id, in silence would be worse
 */
export async function listFiles(request: SnapshotRequest, options: GitOptions, signal?: AbortSignal): Promise<Listing> {
  const byRule = (await listByGit(request.root, options, signal)) ?? (await listByWalk(request.root, signal));
  return adjust(byRule, request, signal);
}

/** Git's setting under which only the ignore files of the checkout itself count. */
export const ignoreFilesOfCheckout: readonly string[] = ['-c', 'core.excludesFile=/dev/null'];
const gitArguments = [...ignoreFilesOfCheckout, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];

async function listByGit(root: string, options: GitOptions, signal?: AbortSignal): Promise<Listing | undefined> {
  const result = await runGit(root, gitArguments, options, signal);
  switch (result.outcome) {
    case 'done':
      return {
        rule: 'git',
        keys: withoutNeverIn(keysIn(result.stdout)),
        omitted: foldersGitCouldNotRead(result.stderr),
      };
    case 'missing':
      return undefined;
    case 'hung':
      throw snapshotFailed(root, `git did not answer within ${result.timeoutMs / 1000} s`);
    case 'aborted':
      throw signal?.reason ?? snapshotFailed(root, 'aborted');
    case 'refused':
      if (saysNoCheckout(result.stderr)) return undefined;
      throw snapshotFailed(root, `git cannot list its files: ${firstLine(result.stderr)}`);
  }
}

/** Git only warns about such a folder, and goes on as if it were empty. */
function foldersGitCouldNotRead(stderr: string): SnapshotOmission[] {
  const found = stderr.matchAll(/^warning: could not open directory '(.*?)\/?':/gm);
  return [...found].map(([, path = '']) => ({ path, reason: 'unreadable' }));
}

async function listByWalk(root: string, signal?: AbortSignal): Promise<Listing> {
  const { keys, omitted } = await walk(root, '', (folder) => /(^|\/)node_modules$/.test(folder), signal);
  return { rule: 'walk', keys: keys.toSorted(), omitted };
}

async function adjust(listing: Listing, request: SnapshotRequest, signal?: AbortSignal): Promise<Listing> {
  if (isPlain(request)) return listing;
  const added = await included(request, signal);
  const excluded = compilePatterns(request.exclude);
  const parts = new Set<PathKey>();
  const all = added.length === 0 ? listing.keys : [...new Set([...listing.keys, ...added])].sort();
  const keys = all.filter((key) => {
    const part = excluded.matchedPart(key);
    if (part !== undefined) parts.add(part);
    return part === undefined;
  });
  const omitted = [...parts].map((part) => ({ path: shownPath(part).path, reason: 'excluded' }) as const);
  return { rule: listing.rule, keys, omitted: [...listing.omitted, ...omitted] };
}

/** True when the rule alone chooses the files. */
export function isPlain(request: SnapshotRequest): boolean {
  return request.include.length === 0 && request.exclude.length === 0;
}

function withoutNeverIn(keys: PathKey[]): PathKey[] {
  return keys.some(isNeverIn) ? keys.filter((key) => !isNeverIn(key)) : keys;
}

async function included(request: SnapshotRequest, signal?: AbortSignal): Promise<PathKey[]> {
  const pattern = compilePatterns(request.include);
  const starts = new Set(request.include.map(startOf));
  const found: PathKey[] = [];
  for (const start of starts) {
    const from = keyOf(Buffer.from(start));
    if (isNeverIn(from) || from.split('/').includes('..')) continue;
    const keys = isFolder(request.root, from) ? (await walk(request.root, from, () => false, signal)).keys : [from];
    for (const key of keys) if (pattern.matchedPart(key) !== undefined) found.push(key);
  }
  return found;
}

function isFolder(root: string, key: PathKey): boolean {
  return key === '' || (lstatSync(systemPath(root, key), { throwIfNoEntry: false })?.isDirectory() ?? false);
}

export function snapshotFailed(root: string, reason: string, cause?: unknown): WaybillError {
  return new WaybillError('snapshot_failed', `no snapshot of ${root}: ${reason}`, {
    hint: 'Run `git status` there and repair what it says; a snapshot never guesses which files belong to the tree.',
    details: { root },
    cause,
  });
}
