import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, isId } from '../../../contract/ids.ts';
import type { OpenBlob } from '../../../platform/blobs/blob-store.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { assertBlobReadable } from '../policy/assert-blob-readable.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';

/** A blob that may be read in a repo. */
export interface ReadableBlob {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * A blob of this repo. Knowing a digest gives nobody access: what was not put into this repo is unknown in it, wherever
 * else it is.
 * @throws WaybillError `repo_not_found`, `blob_unknown`, `version_quarantined` when a rule holds back all that has it
 */
export function findBlob({ store }: Pick<Registry, 'store'>, repo: string, digest: string): Promise<ReadableBlob> {
  return store.read(async (tx) => {
    await requireRepo(tx, repo);
    const found = await blobOfRepo(tx, repo, digest);
    await assertBlobReadable(tx, repo, found.digest);
    return found;
  });
}

/** The same inside of a transaction, for a repo that is known to exist. @throws WaybillError `blob_unknown` */
export async function blobOfRepo({ db }: Pick<ReadTx, 'db'>, repo: string, digest: string): Promise<ReadableBlob> {
  const row = isId('digest', digest)
    ? await db
        .selectFrom('repo_blob')
        .select('size')
        .where('repo', '=', repo)
        .where('digest', '=', digest)
        .executeTakeFirst()
    : undefined;
  if (row !== undefined && isId('digest', digest)) return { digest, size: row.size };
  throw new WaybillError('blob_unknown', `the repo ${repo} has no blob ${digest.slice(0, 80)}`, {
    hint: 'A blob can be read in the repos it was put into; put it into this one.',
    details: { repo },
  });
}

/**
 * Opens the bytes of a blob that was found.
 * @throws WaybillError `blob_missing`, `blob_corrupt`, `file_read_failed`: the store knows it, and its bytes are gone or cut
 */
export async function openBlob({ blobs }: Pick<Registry, 'blobs'>, { digest, size }: ReadableBlob): Promise<OpenBlob> {
  const opened = await blobs.open(digest);
  if (opened.size === size) return opened;
  await opened[Symbol.asyncDispose]();
  throw new WaybillError('blob_corrupt', `${digest} has ${opened.size} bytes where it had ${size}`, {
    hint: 'Find what else is damaged with: waybill fsck',
    details: { digest },
  });
}
