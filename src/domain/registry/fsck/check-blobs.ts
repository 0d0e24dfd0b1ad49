import { pipeline } from 'node:stream/promises';
import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, isId } from '../../../contract/ids.ts';
import { DigestStream } from '../../../platform/digests/digest.ts';
import { readable } from './check-numbers.ts';
import type { Inspection } from './inspection.ts';

const pageSize = 500;

/** Reads all bytes there are, in constant memory, and holds them against their digests. Returns those that are corrupt. */
export async function checkBytes(inspection: Inspection): Promise<ReadonlySet<string>> {
  const { blobs } = inspection.registry;
  const corrupt = new Set<string>();
  for await (const { digest, size } of blobs.list()) {
    if (inspection.stopped) break;
    const actual = await digestOfStored(inspection, digest).catch(unreadable);
    inspection.looked('blobs');
    if (actual instanceof WaybillError) {
      corrupt.add(digest);
      inspection.found('blob_unreadable', digest, actual.message);
      continue;
    }
    if (actual === null || actual === digest) continue;
    corrupt.add(digest);
    inspection.found('blob_corrupt', digest, `its ${size} bytes have the digest ${actual}`);
  }
  return corrupt;
}

/** One file that the system does not give must not hide what else is wrong. */
function unreadable(error: unknown): WaybillError {
  if (error instanceof WaybillError && error.code === 'file_read_failed') return error;
  throw error;
}

/** Null when a collector has removed it since it was listed. */
async function digestOfStored({ registry }: Inspection, digest: Digest): Promise<Digest | null> {
  const stream = new DigestStream();
  try {
    await using blob = await registry.blobs.open(digest);
    await pipeline(blob.stream(), async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) stream.update(chunk);
    });
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'blob_missing') return null;
    throw error;
  }
  return stream.finish();
}

/** Every row that lets bytes be read in a repo has them, in the size it says, and a repo. */
export async function checkRepoBlobs(inspection: Inspection, corrupt: ReadonlySet<string>): Promise<void> {
  const { store, blobs } = inspection.registry;
  let after = { repo: '', digest: '' };
  while (!inspection.stopped) {
    const rows = await store.read(({ db }) =>
      db
        .selectFrom('repo_blob')
        .leftJoin('repo', 'repo.key', 'repo_blob.repo')
        .select(['repo_blob.repo', 'repo_blob.digest', readable('repo_blob.size').as('size'), 'repo.key'])
        .where((where) =>
          where.or([
            where('repo_blob.repo', '>', after.repo),
            where.and([where('repo_blob.repo', '=', after.repo), where('repo_blob.digest', '>', after.digest)]),
          ]),
        )
        .orderBy('repo_blob.repo')
        .orderBy('repo_blob.digest')
        .limit(pageSize)
        .execute(),
    );
    for (const { repo, digest, size, key } of rows) {
      const where = `${digest} in repo ${repo}`;
      if (key === null) inspection.found('blob_repo', where, 'there is no such repo');
      after = { repo, digest };
      if (!isId('digest', digest)) {
        inspection.found('row_unreadable', `repo_blob ${repo} ${digest}`, 'it names its bytes by no digest');
        continue;
      }
      const stored = await blobs.stat(digest);
      if (stored === null) {
        if (await isStillThere(inspection, repo, digest)) {
          inspection.found('blob_missing', where, `no bytes; ${size ?? 'some'} are expected`);
        }
      } else if (size !== null && stored.size !== size && !corrupt.has(digest)) {
        inspection.found('blob_size', where, `${stored.size} bytes; ${size} are expected`);
      }
    }
    inspection.looked('blobs of repos', rows.length);
    if (rows.length < pageSize) return;
  }
}

/** A collector may have removed the row, and then the bytes, since we read it. */
async function isStillThere({ registry }: Inspection, repo: string, digest: string): Promise<boolean> {
  const row = await registry.store.read(({ db }) =>
    db
      .selectFrom('repo_blob')
      .select('digest')
      .where('repo', '=', repo)
      .where('digest', '=', digest)
      .executeTakeFirst(),
  );
  return row !== undefined;
}
