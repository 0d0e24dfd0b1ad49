import { commit } from '../../../platform/journal/commit.ts';
import type { Registry } from '../registry.ts';
import type { UploadId } from './upload-row.ts';

/**
 * Ends an upload that becomes no blob: first the row, then the bytes. What a crash leaves between the two belongs to no
 * row, and `sweepUploads` finds it. False when somebody else ended it.
 * @param reason a code; null when somebody asked for it
 */
export async function endUpload(
  { store, clock, blobs }: Pick<Registry, 'store' | 'clock' | 'blobs'>,
  { repo, uploadId, reason }: { readonly repo: string; readonly uploadId: UploadId; readonly reason: string | null },
  by: string,
): Promise<boolean> {
  const ended = await store.write(async (tx) => {
    const { numDeletedRows } = await tx.db.deleteFrom('upload').where('id', '=', uploadId).executeTakeFirst();
    if (numDeletedRows === 0n) return false;
    const record = { at: clock.now(), actor: by, action: 'upload.discarded', resource: uploadId } as const;
    await commit(tx, {
      change: async () => {},
      audit: [{ ...record, outcome: 'succeeded', reason, details: { repo } }],
    });
    return true;
  });
  await blobs.staged.discard(uploadId);
  return ended;
}
