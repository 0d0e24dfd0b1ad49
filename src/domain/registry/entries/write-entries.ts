import type { Insertable } from 'kysely';
import { mostEntries } from '../../../contract/api/entries.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest, VersionId } from '../../../contract/ids.ts';
import type { JsonObject } from '../../../contract/json.ts';
import type { LockedTx, WriteTx } from '../../../platform/store/store.ts';
import type { VersionEntryTable } from '../tables.ts';
import { foldPath } from './fold-path.ts';
import { conflictText, type NewEntry, type RequestProblem } from './new-entry.ts';
import { foldersOf, pathConflicts } from './path-conflicts.ts';

type Tx = WriteTx | LockedTx;

/** What giving a draft these entries means: worked out first, so that a refusal lists all and changes nothing. */
export interface EntryChange {
  readonly added: number;
  readonly replaced: number;
  /** How many entries the draft has afterwards. */
  readonly count: number;
  readonly write: () => Promise<void>;
}

/** More parameters than this one statement should have; both engines take some 30,000. */
const rowsAtOnce = 2_000;
/** With more new entries than this, all of the draft's are read instead of those that could conflict. */
const fewEntries = 50;

/**
 * Holds new entries against the blobs of the repo and the entries the draft has.
 * @param isNew the draft was made in this transaction, and has none
 * @throws WaybillError `blob_not_found`, `size_mismatch`, `invalid_input`; each lists every problem
 */
export async function planEntries(
  tx: Tx,
  { repo, versionId, isNew }: { readonly repo: string; readonly versionId: VersionId; readonly isNew: boolean },
  entries: readonly NewEntry[],
): Promise<EntryChange> {
  assertBlobs(repo, entries, await blobSizes(tx, repo, entries));
  const before = isNew ? 0 : await countEntries(tx, versionId);
  const there = before === 0 ? [] : await entriesBeside(tx, versionId, entries);
  const byPath = new Map(there.map((entry) => [entry.path, entry]));
  const changed = entries.filter((entry) => isChange(entry, byPath.get(entry.path)));
  const replaced = changed.map(({ path }) => path).filter((path) => byPath.has(path));
  assertNoConflicts(entries, there);
  const count = before + changed.length - replaced.length;
  if (count > mostEntries) {
    throw refused('invalid_input', `a version has at most ${mostEntries} entries; this one would have ${count}`, [
      { path: 'entries', message: `would make ${count} of them, and a version has at most ${mostEntries}` },
    ]);
  }
  const rows = changed.map((entry) => rowOf(versionId, entry, byPath.get(entry.path)));
  const write = async () => {
    for (const paths of pages(replaced)) {
      await tx.db.deleteFrom('version_entry').where('version', '=', versionId).where('path', 'in', paths).execute();
    }
    for (const values of pages(rows)) await tx.db.insertInto('version_entry').values(values).execute();
  };
  return { added: changed.length - replaced.length, replaced: replaced.length, count, write };
}

interface EntryThere {
  readonly path: string;
  readonly folded: string;
  readonly digest: string;
  readonly media_type: string | null;
}

/** A media type that is not given says nothing: the one that is there stays. */
function isChange({ digest, mediaType }: NewEntry, there: EntryThere | undefined): boolean {
  if (there === undefined || there.digest !== digest) return true;
  return mediaType !== undefined && mediaType !== null && mediaType !== there.media_type;
}

function rowOf(
  version: VersionId,
  { path, digest, size, mediaType }: NewEntry,
  there: EntryThere | undefined,
): Insertable<VersionEntryTable> {
  const media_type = mediaType ?? there?.media_type ?? null;
  return { version, path, folded: foldPath(path), digest, size, media_type };
}

async function countEntries({ db }: Tx, versionId: VersionId): Promise<number> {
  const row = await db
    .selectFrom('version_entry')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('version', '=', versionId)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

async function blobSizes({ db }: Tx, repo: string, entries: readonly NewEntry[]): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const digests of pages([...new Set(entries.map(({ digest }) => digest))])) {
    const query = db.selectFrom('repo_blob').select(['digest', 'size']).where('repo', '=', repo);
    for (const { digest, size } of await query.where('digest', 'in', digests).execute()) sizes.set(digest, size);
  }
  return sizes;
}

/** Entries of the draft that could be the same as, twins of, above or below any of these. */
async function entriesBeside(
  { db }: Tx,
  versionId: VersionId,
  entries: readonly NewEntry[],
): Promise<readonly EntryThere[]> {
  const query = db
    .selectFrom('version_entry')
    .select(['path', 'folded', 'digest', 'media_type'])
    .where('version', '=', versionId);
  if (entries.length > fewEntries) return await query.execute();
  const files = entries.map(({ path }) => foldPath(path));
  const same = [...new Set(files.flatMap((file) => [file, ...foldersOf(file)]))];
  return await query
    .where(({ eb, or, and }) =>
      or([
        eb('folded', 'in', same),
        // "0" is the character after "/": what begins with `a/` lies between `a/` and `a0`.
        ...files.map((file) => and([eb('folded', '>', `${file}/`), eb('folded', '<', `${file}0`)])),
      ]),
    )
    .execute();
}

function assertBlobs(repo: string, entries: readonly NewEntry[], sizes: ReadonlyMap<string, number>): void {
  const missing = new Set<Digest>();
  const problems: RequestProblem[] = [];
  entries.forEach(({ digest, size }, index) => {
    const actual = sizes.get(digest);
    if (actual === undefined) {
      missing.add(digest);
      problems.push({ path: `entries[${index}].digest`, message: `${digest} is not in the repo ${repo}` });
    } else if (actual !== size) {
      problems.push({ path: `entries[${index}].size`, message: `is ${size}, and the blob has ${actual} bytes` });
    }
  });
  if (missing.size > 0) {
    const many = missing.size === 1 ? '1 blob is' : `${missing.size} blobs are`;
    throw refused('blob_not_found', `${many} not in the repo ${repo}: ${named([...missing])}`, problems, {
      repo,
      missing: [...missing],
    });
  }
  if (problems.length > 0) {
    throw refused('size_mismatch', `${problems.length} entries do not have the size of their blob`, problems);
  }
}

function assertNoConflicts(entries: readonly NewEntry[], there: readonly EntryThere[]): void {
  const places = new Map(entries.map(({ path }, index) => [path, index]));
  const all = new Set([...there.map(({ path }) => path), ...places.keys()]);
  const problems = pathConflicts([...all]).map(({ path, other, kind }) => {
    // One of the two is of this request: what is there has no conflict with itself.
    const [mine, its] = places.has(path) ? [path, other] : [other, path];
    const message = path === mine || kind === 'case' ? conflictText(kind, its) : `is a folder of the file ${its}`;
    return { path: `entries[${places.get(mine) ?? 0}].path`, message };
  });
  if (problems.length === 0) return;
  const [first] = problems;
  throw refused('invalid_input', `an entry does not fit to those the draft has: ${first?.message}`, problems);
}

function named(digests: readonly string[]): string {
  const more = digests.length > 3 ? ` and ${digests.length - 3} more` : '';
  return `${digests.slice(0, 3).join(', ')}${more}`;
}

function refused(
  code: 'blob_not_found' | 'size_mismatch' | 'invalid_input',
  message: string,
  problems: readonly RequestProblem[],
  details: JsonObject = {},
): WaybillError {
  const hints = {
    blob_not_found: 'Upload each of them to this repo first.',
    size_mismatch: 'Give the size of the blob in bytes.',
    invalid_input: 'Each problem names an entry and what is wrong with it.',
  };
  return new WaybillError(code, message, {
    hint: hints[code],
    details: { ...details, problems: problems.map(({ path, message: said }) => ({ path, message: said })) },
  });
}

function* pages<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += rowsAtOnce) yield all.slice(from, from + rowsAtOnce);
}
