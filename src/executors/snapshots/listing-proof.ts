import { type Dirent, lstatSync, readdirSync, statfsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type GitOptions, runGit } from '../git/run-git.ts';
import { ignoreFilesOfCheckout, type Listing } from './list-files.ts';
import { isRacy, kindOf, lookAt, modeOf, rowWidth, sameRow, writeRow } from './stat-rows.ts';
import { isNeverIn, type PathKey, parentOf } from './tree-path.ts';

/**
 * What vouches for git's listing without asking git again: while the index, the ignore files and every folder git
 * read are the same to a look, it would list the same names. This is the idea of git's own untracked cache
 * (git-update-index(1), "Untracked cache"); asking git costs more than all the looks at a tree together.
 */
export interface ListingProof {
  readonly witnesses: readonly PathKey[];
  /** See stat-rows.ts; one row a witness. */
  readonly rows: Float64Array;
}

/** Local file systems, which change a folder's times with every name in it: ext, xfs, btrfs, tmpfs, overlayfs, zfs. */
const reliable = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1]);
/** Of the checkout's own data, what a listing depends on. */
const ofGit: readonly PathKey[] = ['.git', '.git/index', '.git/config', '.git/info/exclude'];
const foldersATurn = 64;
/** Folders in folders without a listed file: deeper than this is not worth asking git about. */
const mostRounds = 4;

export function stillHolds(root: string, proof: ListingProof): boolean {
  const rows = new Float64Array(rowWidth);
  return proof.witnesses.every((witness, index) => {
    lookInto(rows, root, witness);
    return sameRow(proof.rows, index, rows, 0);
  });
}

/**
 * Looks for a proof of a listing that git began at `startedMs`. There is none when a witness changed since shortly
 * before that, on a file system that may not tell, or when the root is not the top of its checkout.
 */
export async function proveListing(
  root: string,
  listing: Listing,
  startedMs: number,
  git: GitOptions,
  signal?: AbortSignal,
): Promise<ListingProof | undefined> {
  if (listing.rule !== 'git' || listing.omitted.length > 0 || !isReliablePlace(root)) return undefined;
  // Names that are not UTF-8 are rare enough to ask git each time.
  if (listing.keys.some((key) => key.startsWith('/'))) return undefined;
  const seen = await foldersGitReads(root, listing, git, signal);
  if (seen === undefined) return undefined;
  const { folders, ignoreFiles } = seen;
  const nested = listing.keys.filter((key) => key.endsWith('/'));
  const witnesses = [
    ...ofGit,
    ...[...folders].map((folder) => (folder === '' ? '.' : folder)),
    ...nested,
    ...ignoreFiles,
  ];
  const rows = new Float64Array(witnesses.length * rowWidth);
  const row = new Float64Array(rowWidth);
  for (const [index, witness] of witnesses.entries()) {
    lookInto(row, root, witness);
    if (isRacy(row, 0, startedMs)) return undefined;
    if (folders.has(witness) && kindOf(modeOf(row, 0)) !== 'folder') return undefined;
    rows.set(row, index * rowWidth);
  }
  return { witnesses, rows };
}

function lookInto(row: Float64Array, root: string, witness: PathKey): void {
  row.fill(0);
  const seen = lookAt(root, witness);
  if (typeof seen === 'object') writeRow(row, 0, seen);
  else if (seen === 'unreadable') row.fill(Number.NaN);
  // The times of `.git` itself change with every lock file in it; that it is the same folder, its inode says.
  if (witness === '.git') row.fill(0, 1, rowWidth - 1);
}

function isReliablePlace(root: string): boolean {
  const gitFolder = lstatSync(`${root}/.git`, { throwIfNoEntry: false });
  return (gitFolder?.isDirectory() ?? false) && reliable.has(statfsSync(root).type);
}

/**
 * The folders git reads to list a checkout ('' is the root): those that hold listed files, and those that could,
 * because they are not ignored as a whole.
 * @returns undefined when they cannot be told without more asking than it is worth
 */
export async function foldersGitReads(
  root: string,
  listing: Listing,
  git: GitOptions,
  signal?: AbortSignal,
): Promise<{ readonly folders: ReadonlySet<PathKey>; readonly ignoreFiles: readonly PathKey[] } | undefined> {
  const folders = foldersOf(listing.keys);
  const listed = new Set(listing.keys);
  const ignoreFiles: PathKey[] = [];
  let toRead: readonly PathKey[] = [...folders];
  for (let round = 1; round <= mostRounds; round++) {
    const seen = await readFolders(root, toRead);
    if (seen === undefined) return undefined;
    ignoreFiles.push(...seen.ignoreFiles);
    const silent = seen.folders.filter((key) => !folders.has(key) && !listed.has(key) && !listed.has(`${key}/`));
    toRead = silent.length === 0 ? [] : await notIgnored(root, silent, git, signal);
    if (toRead.length === 0) return { folders, ignoreFiles };
    for (const folder of toRead) folders.add(folder);
  }
  return undefined;
}

/** The folders that hold listed files, at any depth, and the root. */
function foldersOf(keys: readonly PathKey[]): Set<PathKey> {
  const folders = new Set<PathKey>(['']);
  for (const key of keys) {
    for (let at = parentOf(key.replace(/\/$/, '')); !folders.has(at); at = parentOf(at)) folders.add(at);
  }
  return folders;
}

/** The ignore files and the folders that lie in some folders; undefined when one of them cannot be read. */
async function readFolders(
  root: string,
  toRead: readonly PathKey[],
): Promise<{ readonly ignoreFiles: readonly PathKey[]; readonly folders: readonly PathKey[] } | undefined> {
  const ignoreFiles: PathKey[] = [];
  const folders: PathKey[] = [];
  for (const [index, folder] of toRead.entries()) {
    if (index % foldersATurn === foldersATurn - 1) await nextTurn();
    const entries = entriesOf(folder === '' ? root : `${root}/${folder}`);
    if (entries === undefined) return undefined;
    for (const entry of entries) {
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.name === '.gitignore') ignoreFiles.push(key);
      if (entry.isDirectory() && !isNeverIn(key)) folders.push(key);
    }
  }
  return { ignoreFiles, folders };
}

function entriesOf(folder: string): Dirent[] | undefined {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // A folder that is gone or closed by now vouches for nothing; git is asked again.
    return undefined;
  }
}

async function notIgnored(
  root: string,
  folders: readonly PathKey[],
  git: GitOptions,
  signal?: AbortSignal,
): Promise<readonly PathKey[]> {
  const input = folders.map((folder) => `./${folder}/\0`).join('');
  const result = await runGit(
    root,
    [...ignoreFilesOfCheckout, 'check-ignore', '-z', '--stdin'],
    { ...git, input },
    signal,
  );
  // Exit code 1 is how it says that none is ignored; after anything else they are read too, which proves no less.
  const ignored = new Set(result.outcome === 'done' ? result.stdout.toString('utf8').split('\0') : []);
  return folders.filter((folder) => !ignored.has(`./${folder}/`));
}
