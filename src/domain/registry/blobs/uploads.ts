import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import type { ExpectedBytes } from '../../../platform/blobs/blob-store.ts';
import type { Micros } from '../../../platform/clock/clock.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { type AddedBlob, addBlob } from './add-blob.ts';
import { endUpload } from './end-upload.ts';
import { isMismatch, mismatchesRecorded } from './mismatches-recorded.ts';
import { requireUpload, type UploadRow, uploadNotFound } from './upload-row.ts';

/** Which upload, as an address has it. */
export interface UploadPlace {
  readonly repo: string;
  readonly uploadId: string;
}

export interface Upload extends UploadRow {
  /** How many bytes are there: where to go on. */
  readonly offset: number;
  /** When it is swept unless more comes before. */
  readonly expiresAt: Micros;
}

const hour = 3_600_000_000;

/**
 * Begins an upload that comes in parts. What is said of it is checked when it is there.
 * @throws WaybillError `repo_not_found`, `body_too_large` when it says that it will be too large
 */
export async function startUpload(
  registry: Registry,
  {
    repo,
    digest,
    size,
  }: { readonly repo: string; readonly digest?: Digest | undefined; readonly size?: number | undefined },
  by: string,
): Promise<Upload> {
  const { maxBlobBytes } = registry.settings;
  if (size !== undefined && size > maxBlobBytes) {
    throw new WaybillError('body_too_large', `a blob has at most ${maxBlobBytes} bytes here`, {
      hint: 'The limit is `registry.maxBlobBytes` in the configuration.',
      details: { maxBytes: maxBlobBytes },
    });
  }
  const [id, at] = [makeId('upload'), registry.clock.now()];
  const row = { id, repo, digest: digest ?? null, size: size ?? null, made_at: at, made_by: by };
  await registry.store.write(async (tx) => {
    await requireRepo(tx, repo);
    await commit(tx, {
      change: async () => void (await tx.db.insertInto('upload').values(row).execute()),
      audit: [{ at, actor: by, action: 'upload.started', resource: id, outcome: 'succeeded', details: { repo } }],
    });
  });
  return await describeUpload(registry, { repo, uploadId: id });
}

/** @throws WaybillError `repo_not_found`, `upload_not_found` */
export async function describeUpload(registry: Registry, place: UploadPlace): Promise<Upload> {
  const row = await findUpload(registry, place);
  const staged = await registry.blobs.staged.stat(row.uploadId);
  const lastSign = Math.max(row.madeAt, staged?.changedAt ?? 0);
  return { ...row, offset: staged?.size ?? 0, expiresAt: lastSign + registry.settings.uploadHours * hour };
}

/**
 * Adds bytes at the end of an upload; resolves with where it ends then, durably. What came before a connection was lost
 * stays too.
 * @throws WaybillError `repo_not_found`, `upload_not_found`, `upload_offset_mismatch` with the `offset` it wants in the
 * details, `size_mismatch`, `body_too_large`, `lease_held`, `file_write_failed`; what `source` throws
 */
export async function appendToUpload(
  registry: Registry,
  { offset, source, ...place }: UploadPlace & { readonly offset: number; readonly source: AsyncIterable<Uint8Array> },
): Promise<number> {
  const { uploadId, size } = await findUpload(registry, place);
  const { staged } = registry.blobs;
  const limits = { size: size ?? undefined, maxBytes: registry.settings.maxBlobBytes };
  const end = await staged.append(uploadId, offset, source, limits);
  // Discarded or swept meanwhile: then nobody would ever ask for these bytes.
  await findUpload(registry, place).catch(async (error: unknown) => {
    await staged.discard(uploadId);
    throw error;
  });
  return end;
}

/**
 * Checks an upload and makes it a blob of its repo. Bytes of another digest, or too many, cannot be mended: nothing is left
 * of them. When some are missing, the upload stays, and more can be added.
 * @throws WaybillError `repo_not_found`, `upload_not_found`, `invalid_input` when nobody said a digest, `digest_mismatch`,
 * `size_mismatch`, `lease_held`, `file_write_failed`
 */
export async function finishUpload(
  registry: Registry,
  { digest, ...place }: UploadPlace & { readonly digest?: Digest | undefined },
  by: string,
): Promise<AddedBlob> {
  const row = await findUpload(registry, place);
  const { uploadId, repo } = row;
  const expected = expectedOf(row, digest, registry.settings.maxBlobBytes);
  const attempt = { resource: expected.digest ?? uploadId, details: { repo, uploadId } };
  try {
    const received = await mismatchesRecorded(registry, attempt, by, () =>
      registry.blobs.staged.finish(uploadId, expected),
    );
    return await registry.store.write(async (tx) => {
      const { numDeletedRows } = await tx.db.deleteFrom('upload').where('id', '=', uploadId).executeTakeFirst();
      // Discarded while its bytes were digested: they are a blob now, and nobody's.
      if (numDeletedRows === 0n) throw uploadNotFound(repo, uploadId);
      return await addBlob(tx, registry, { ...received, repo }, by);
    });
  } catch (error) {
    // Without bytes there is nothing to lose, and somebody else may just be making them a blob.
    const lost = isMismatch(error) && !isShort(error) && (await registry.blobs.staged.stat(uploadId)) !== null;
    if (lost) await endUpload(registry, { repo, uploadId, reason: error.code }, by);
    throw error;
  }
}

/** Ends an upload; nothing is left of it. @throws WaybillError `repo_not_found`, `upload_not_found`, `lease_held` */
export async function discardUpload(registry: Registry, place: UploadPlace, by: string): Promise<void> {
  const { repo, uploadId } = await findUpload(registry, place);
  const ended = await endUpload(registry, { repo, uploadId, reason: null }, by);
  if (!ended) throw uploadNotFound(repo, uploadId);
}

function findUpload({ store }: Pick<Registry, 'store'>, place: UploadPlace): Promise<UploadRow> {
  return store.read((tx) => requireUpload(tx, place));
}

function expectedOf(row: UploadRow, digest: Digest | undefined, maxBytes: number): ExpectedBytes {
  if (digest !== undefined && row.digest !== null && digest !== row.digest) {
    const message = `is not ${row.digest}, as was said when the upload was started`;
    throw new WaybillError('invalid_input', `the digest ${message}`, {
      details: { problems: [{ path: 'query.digest', message }] },
    });
  }
  const wanted = digest ?? row.digest;
  if (wanted === null) {
    throw new WaybillError('invalid_input', 'nobody said which digest the bytes must have', {
      hint: 'Give it when the upload is started or finished.',
      details: { problems: [{ path: 'query.digest', message: 'is missing' }] },
    });
  }
  return { digest: wanted, size: row.size ?? undefined, maxBytes };
}

function isShort({ code, details }: WaybillError): boolean {
  return code === 'size_mismatch' && Number(details?.actual) < Number(details?.expected);
}
