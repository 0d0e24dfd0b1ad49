import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, type Id, isId, parseId } from '../../../contract/ids.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import { requireRepo } from '../repos/require-repo.ts';
import type {} from './tables.ts';

export type UploadId = Id<'upload'>;

/** An upload without its bytes. */
export interface UploadRow {
  readonly uploadId: UploadId;
  readonly repo: string;
  /** Null when it was not said at the start. */
  readonly digest: Digest | null;
  readonly size: number | null;
  readonly madeAt: Micros;
  readonly madeBy: string;
}

/** @throws WaybillError `repo_not_found`, `upload_not_found` also for one of another repo */
export async function requireUpload(
  { db }: Pick<ReadTx, 'db'>,
  { repo, uploadId }: { readonly repo: string; readonly uploadId: string },
): Promise<UploadRow> {
  await requireRepo({ db }, repo);
  const row = isId('upload', uploadId)
    ? await db.selectFrom('upload').selectAll().where('id', '=', uploadId).where('repo', '=', repo).executeTakeFirst()
    : undefined;
  if (row === undefined) throw uploadNotFound(repo, uploadId);
  return {
    uploadId: parseId('upload', row.id),
    repo: row.repo,
    digest: row.digest === null ? null : parseDigest(row.digest),
    size: row.size,
    madeAt: row.made_at,
    madeBy: row.made_by,
  };
}

export function uploadNotFound(repo: string, uploadId: string): WaybillError {
  return new WaybillError('upload_not_found', `the repo ${repo} has no upload ${uploadId.slice(0, 80)}`, {
    hint: 'It was finished, discarded or expired: start another one.',
  });
}
