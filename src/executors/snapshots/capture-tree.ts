import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Snapshot, SnapshotEntry, SnapshotOmission, SnapshotRequest } from '../../domain/runs/ports.ts';
import { hexOf, ownDigest } from '../../platform/digests/digest.ts';
import { snapshotIdOf } from '../../platform/ids/snapshot-id.ts';
import { compareEntries, treeDigest } from '../../platform/trees/tree-digest.ts';
import type { GitOptions } from '../git/run-git.ts';
import { hideWhatLiesBehindLinks } from './linked-folders.ts';
import { isPlain, type Listing, listFiles } from './list-files.ts';
import { proveListing, stillHolds } from './listing-proof.ts';
import { lookAtAll } from './look-at-all.ts';
import { type ContentAnswer, readContent, readLink } from './read-content.ts';
import { distrust, isRacy, type Kind, kindOf, lookAt, modeOf, rowWidth, sameRow, writeRow } from './stat-rows.ts';
import { type PathKey, shownPath, systemPath } from './tree-path.ts';
import type { TreeState } from './tree-state.ts';

/** Milliseconds of reading before other work of the process gets a turn. */
const turnMs = 8;
/** How often a path whose kind changes under our hands is looked at again before it counts as vanished. */
const looks = 3;

export interface CapturedTree {
  readonly snapshot: Snapshot;
  readonly state: TreeState;
  /** True when `state` knows more than what the capture was given, and is worth keeping. */
  readonly isNews: boolean;
}

/**
 * One capture. `known` is what an earlier one found: of its files, those whose row is unchanged are not read again.
 * Those rows are looked at while git is still listing.
 */
export async function captureTree(
  request: SnapshotRequest,
  known: TreeState | undefined,
  startedMs: number,
  git: GitOptions,
  signal?: AbortSignal,
): Promise<CapturedTree> {
  const vouched = isPlain(request) ? vouchedListing(known) : undefined;
  const listed = vouched ?? listFiles(request, git, signal);
  const [listing, early] = await Promise.all([listed, known && lookAtAll(request.root, known.keys, signal)]);
  const rows = await rowsOf(request.root, listing.keys, known, early, signal);
  // A proof holds only while every folder is the real folder it was.
  if (vouched === undefined) hideWhatLiesBehindLinks(request.root, listing.keys, rows);
  const captured: CapturedTree =
    known?.made !== undefined && isUnchanged(known, known.made, listing, rows)
      ? { state: known, snapshot: known.made.snapshot, isNews: false }
      : await new Capture(request.root, listing, rows, known, startedMs).run(signal);
  if (vouched !== undefined) return { ...captured, state: { ...captured.state, proof: known?.proof } };
  const proof = isPlain(request) ? await proveListing(request.root, listing, startedMs, git, signal) : undefined;
  return { ...captured, isNews: captured.isNews || proof !== undefined, state: { ...captured.state, proof } };
}

/** What git would list, when the proof of the last time still holds. */
function vouchedListing(known: TreeState | undefined): Listing | undefined {
  if (known?.proof === undefined || !stillHolds(known.root, known.proof)) return undefined;
  return { rule: 'git', keys: known.keys, omitted: [] };
}

async function rowsOf(
  root: string,
  keys: readonly PathKey[],
  known: TreeState | undefined,
  early: Float64Array | undefined,
  signal?: AbortSignal,
): Promise<Float64Array> {
  if (known === undefined || early === undefined) return lookAtAll(root, keys, signal);
  if (sameKeys(known.keys, keys)) return early;
  const rows = new Float64Array(keys.length * rowWidth);
  const fresh: number[] = [];
  eachWithKnown(keys, known.keys, (index, knownIndex) => {
    if (knownIndex === undefined) fresh.push(index);
    else rows.set(early.subarray(knownIndex * rowWidth, (knownIndex + 1) * rowWidth), index * rowWidth);
  });
  const freshRows = await lookAtAll(
    root,
    fresh.map((index) => keys[index] ?? ''),
    signal,
  );
  for (const [at, index] of fresh.entries())
    rows.set(freshRows.subarray(at * rowWidth, (at + 1) * rowWidth), index * rowWidth);
  return rows;
}

function sameKeys(a: readonly PathKey[], b: readonly PathKey[]): boolean {
  return a === b || (a.length === b.length && a.every((key, index) => key === b[index]));
}

/** Both lists are sorted, so one pass over them finds where each key of the first lies in the second. */
function eachWithKnown(
  keys: readonly PathKey[],
  known: readonly PathKey[],
  visit: (index: number, knownIndex: number | undefined) => void,
): void {
  if (sameKeys(keys, known)) {
    for (let index = 0; index < keys.length; index++) visit(index, index);
    return;
  }
  let at = 0;
  for (const [index, key] of keys.entries()) {
    while (at < known.length && (known[at] ?? '') < key) at++;
    visit(index, known[at] === key ? at : undefined);
  }
}

/** The very same listing with the very same rows is the very same snapshot: nothing is read, sorted or hashed. */
function isUnchanged(
  known: TreeState,
  made: NonNullable<TreeState['made']>,
  listing: Listing,
  rows: Float64Array,
): boolean {
  if (made.listing.rule !== listing.rule || !sameKeys(known.keys, listing.keys)) return false;
  if (!sameOmissions(made.listing.omitted, listing.omitted)) return false;
  for (let index = 0; index < known.keys.length; index++) if (!sameRow(known.rows, index, rows, index)) return false;
  return true;
}

function sameOmissions(a: readonly SnapshotOmission[], b: readonly SnapshotOmission[]): boolean {
  return (
    a.length === b.length && a.every((one, index) => one.path === b[index]?.path && one.reason === b[index]?.reason)
  );
}

class Capture {
  readonly #root: string;
  readonly #listing: Listing;
  readonly #rows: Float64Array;
  readonly #known: TreeState | undefined;
  readonly #startedMs: number;
  readonly #files: SnapshotEntry[] = [];
  readonly #omitted: SnapshotOmission[];
  readonly #digests: string[];
  #bytes = 0;

  constructor(root: string, listing: Listing, rows: Float64Array, known: TreeState | undefined, startedMs: number) {
    this.#root = root;
    this.#listing = listing;
    this.#rows = rows;
    this.#known = known;
    this.#startedMs = startedMs;
    this.#omitted = [...listing.omitted];
    this.#digests = new Array(listing.keys.length).fill('');
  }

  async run(signal?: AbortSignal): Promise<CapturedTree> {
    const toRead: number[] = [];
    const known = this.#known;
    eachWithKnown(this.#listing.keys, known?.keys ?? [], (index, knownIndex) => {
      const kind = kindOf(modeOf(this.#rows, index));
      if (kind !== 'file' && kind !== 'executable' && kind !== 'symlink') return this.#leaveOut(index, kind);
      const digest = knownIndex === undefined ? '' : (known?.digests[knownIndex] ?? '');
      const isKnown = known !== undefined && knownIndex !== undefined && digest !== '';
      if (!isKnown || !sameRow(known.rows, knownIndex, this.#rows, index)) toRead.push(index);
      else this.#add(index, kind, digest, this.#rows[index * rowWidth + 1] ?? 0);
    });
    let turnEnds = performance.now() + turnMs;
    for (const index of toRead) {
      await this.#read(index);
      if (performance.now() < turnEnds) continue;
      await nextTurn();
      signal?.throwIfAborted();
      turnEnds = performance.now() + turnMs;
    }
    const isNews = toRead.length > 0 || known === undefined || !sameKeys(known.keys, this.#listing.keys);
    return { ...this.#finish(toRead.length > 0), isNews };
  }

  async #read(index: number): Promise<void> {
    const path = systemPath(this.#root, this.#key(index));
    for (let look = 1; look <= looks; look++) {
      const seen = lookAt(this.#root, this.#key(index));
      if (typeof seen === 'string') return this.#leaveOut(index, seen);
      const kind = kindOf(seen.mode);
      if (kind !== 'file' && kind !== 'executable' && kind !== 'symlink') return this.#leaveOut(index, kind);
      const content: ContentAnswer = kind === 'symlink' ? readLink(path, seen) : await readContent(path);
      if (content === 'swapped') continue;
      if (typeof content === 'string') return this.#omit(index, content);
      writeRow(this.#rows, index, content.stats);
      if (content.size !== content.stats.size || isRacy(this.#rows, index, this.#startedMs))
        distrust(this.#rows, index);
      const readKind = kind === 'symlink' ? kind : kindOf(content.stats.mode) === 'executable' ? 'executable' : 'file';
      return this.#add(index, readKind, hexOf(content.digest), content.size);
    }
    this.#omit(index, 'vanished');
  }

  #key(index: number): PathKey {
    return this.#listing.keys[index] ?? '';
  }

  #add(index: number, kind: SnapshotEntry['kind'], hex: string, size: number): void {
    this.#digests[index] = hex;
    this.#bytes += size;
    this.#files.push({ ...shownPath(this.#key(index)), kind, size, digest: ownDigest(hex) });
  }

  #leaveOut(index: number, kind: Kind): void {
    switch (kind) {
      case 'absent':
        // Git goes on listing a tracked file that was deleted; a walk has just seen it.
        if (this.#listing.rule === 'walk') this.#omit(index, 'vanished');
        return;
      case 'folder':
        if (this.#isSubmodule(index)) this.#omit(index, 'submodule');
        return;
      case 'unreadable':
      case 'fifo':
      case 'socket':
      case 'device':
        this.#omit(index, kind);
        return;
      case 'file':
      case 'executable':
      case 'symlink':
        return;
    }
  }

  #omit(index: number, reason: SnapshotOmission['reason']): void {
    if (reason === 'vanished') distrust(this.#rows, index);
    this.#omitted.push({ path: shownPath(this.#key(index)).path.replace(/\/$/, ''), reason });
  }

  /** A folder git lists is a submodule or a checkout of its own, unless it took the place of a tracked file. */
  #isSubmodule(index: number): boolean {
    const key = this.#key(index);
    if (key.endsWith('/')) return true;
    if (lookAt(this.#root, `${key}/.git`) !== 'absent') return true;
    const isReplaced = this.#listing.keys[index + 1]?.startsWith(`${key}/`) ?? false;
    return !isReplaced && this.#listing.keys.includes('.gitmodules');
  }

  #finish(hasRead: boolean): Omit<CapturedTree, 'isNews'> {
    const { rule, keys } = this.#listing;
    // The keys were in this order, but what had to be read came last, and an escaped path is not its own key.
    const isInOrder = !hasRead && !this.#files.some((file) => file.raw);
    const files = isInOrder ? this.#files : this.#files.sort(compareEntries);
    const omitted = this.#omitted.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    const digest = treeDigest(rule, files);
    const snapshot: Snapshot = { id: snapshotIdOf(digest), digest, rule, files, omitted, bytes: this.#bytes };
    const made = { listing: this.#listing, snapshot };
    return {
      snapshot,
      state: { root: this.#root, keys, rows: this.#rows, digests: this.#digests, proof: undefined, made },
    };
  }
}
