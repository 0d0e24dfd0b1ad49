import { WaybillError } from '../../../contract/errors.ts';
import { isId, parseId } from '../../../contract/ids.ts';
import type { Registry } from '../registry.ts';
import { endUpload } from './end-upload.ts';

const hour = 3_600_000_000;
const pageSize = 200;

export interface SweptUploads {
  /** Uploads that nothing came for in `registry.uploadHours`. */
  readonly expired: number;
  /** Staged bytes that belong to no upload, as a crash leaves them. */
  readonly orphans: number;
}

/**
 * Removes expired uploads, and staged bytes of none; any number may do it at once. Run when a daemon starts, and by a
 * worker later. `by` is who is on record for it.
 */
export async function sweepUploads(registry: Registry, by = 'waybill'): Promise<SweptUploads> {
  return { expired: await sweepExpired(registry, by), orphans: await sweepOrphans(registry) };
}

async function sweepExpired(registry: Registry, by: string): Promise<number> {
  const before = registry.clock.now() - registry.settings.uploadHours * hour;
  let [swept, after] = [0, ''];
  for (;;) {
    const rows = await registry.store.read(({ db }) =>
      db
        .selectFrom('upload')
        .select(['id', 'repo'])
        .where('made_at', '<', before)
        .where('id', '>', after)
        .orderBy('id')
        .limit(pageSize)
        .execute(),
    );
    for (const { id, repo } of rows) {
      const uploadId = parseId('upload', id);
      after = id;
      const staged = await registry.blobs.staged.stat(uploadId);
      // Old, but something came for it not long ago.
      if (staged !== null && staged.changedAt >= before) continue;
      if (await unlessHeld(() => endUpload(registry, { repo, uploadId, reason: 'expired' }, by))) swept++;
    }
    if (rows.length < pageSize) return swept;
  }
}

async function sweepOrphans({ store, blobs }: Registry): Promise<number> {
  let swept = 0;
  // The row of an upload is there before its first byte, so what has none now will never have one.
  for await (const { id } of blobs.staged.list()) {
    const row = isId('upload', id)
      ? await store.read(({ db }) => db.selectFrom('upload').select('id').where('id', '=', id).executeTakeFirst())
      : undefined;
    if (row === undefined && (await unlessHeld(() => blobs.staged.discard(id)))) swept++;
  }
  return swept;
}

/** What another process writes to at this moment is left to it, and to the next sweep. */
async function unlessHeld(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'lease_held') return false;
    throw error;
  }
}
