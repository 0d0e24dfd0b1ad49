import { createHash } from 'node:crypto';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import { hexOf } from '../../../platform/digests/digest.ts';
import type { Registry } from '../registry.ts';
import type { Checksums, NewEntry } from './new-entry.ts';

const algorithms = ['sha256', 'sha512', 'sha1'] as const;

/**
 * Holds further checksums of entries against the bytes, which are read in constant memory where the digest does not tell.
 * Only blobs of this repo are read; those that are not there are left to whoever holds the entries against the repo.
 * @throws WaybillError `digest_mismatch` with every one that does not agree, `blob_missing`, `file_read_failed`
 */
export async function assertChecksums(
  { store, blobs }: Pick<Registry, 'store' | 'blobs'>,
  repo: string,
  entries: readonly NewEntry[],
): Promise<void> {
  const asked = entries.filter(({ checksums }) => algorithms.some((each) => checksums?.[each] !== undefined));
  if (asked.length === 0) return;
  const digests = [...new Set(asked.map(({ digest }) => digest))];
  const held = await store.read(({ db }) =>
    db.selectFrom('repo_blob').select('digest').where('repo', '=', repo).where('digest', 'in', digests).execute(),
  );
  const here = new Set(held.map(({ digest }) => digest));
  const toRead = new Set(
    asked
      .filter(({ checksums }) => checksums?.sha512 !== undefined || checksums?.sha1 !== undefined)
      .map(({ digest }) => digest),
  );
  const actual = new Map<Digest, Checksums>();
  for (const digest of digests.filter((each) => here.has(each))) {
    const sha256 = hexOf(digest);
    actual.set(digest, toRead.has(digest) ? { ...(await readChecksums(blobs, digest)), sha256 } : { sha256 });
  }
  const problems = entries.flatMap(({ digest, checksums }, index) =>
    algorithms.flatMap((each) => {
      const [given, found] = [checksums?.[each], actual.get(digest)?.[each]];
      if (given === undefined || found === undefined || given === found) return [];
      return [{ path: `entries[${index}].checksums.${each}`, message: `is not that of the blob, ${found}` }];
    }),
  );
  if (problems.length === 0) return;
  throw new WaybillError('digest_mismatch', `${problems.length} checksums are not those of their blobs`, {
    hint: 'Each problem names one; upload the bytes that were meant.',
    details: { problems },
  });
}

async function readChecksums(blobs: Registry['blobs'], digest: Digest): Promise<Checksums> {
  await using blob = await blobs.open(digest);
  const [sha512, sha1] = [createHash('sha512'), createHash('sha1')];
  for await (const chunk of blob.stream()) for (const hash of [sha512, sha1]) hash.update(chunk);
  return { sha512: sha512.digest('hex'), sha1: sha1.digest('hex') };
}
