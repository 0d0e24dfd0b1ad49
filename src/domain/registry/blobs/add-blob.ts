import type { ReceivedBlob } from '../../../platform/blobs/blob-store.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';

export interface AddedBlob extends ReceivedBlob {
  /** False when it was in the repo already: then nothing was changed. */
  readonly added: boolean;
}

/**
 * Makes stored bytes readable in a repo. They must have been put or touched just before: see `BlobStore`.
 * @throws WaybillError `store_immutable` when the repo does not exist, or knows the digest with another size
 */
export async function addBlob(
  tx: WriteTx,
  { clock }: Pick<Registry, 'clock'>,
  { repo, digest, size }: ReceivedBlob & { readonly repo: string },
  by: string,
): Promise<AddedBlob> {
  const at = clock.now();
  const known = await tx.db
    .selectFrom('repo_blob')
    .select('digest')
    .where('repo', '=', repo)
    .where('digest', '=', digest)
    .executeTakeFirst();
  // Inserted also when it is there: the collector then sees that somebody needs it.
  const inserted = await tx.db
    .insertInto('repo_blob')
    .values({ repo, digest, size, added_at: at, added_by: by })
    .onConflict((conflict) => conflict.columns(['repo', 'digest']).doNothing())
    .executeTakeFirst();
  const added = known === undefined && (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
  const record = { at, actor: by, action: 'blob.uploaded', resource: digest, outcome: 'succeeded' } as const;
  await commit(tx, { change: async () => {}, audit: added ? [{ ...record, details: { repo, size } }] : [] });
  return { digest, size, added };
}
