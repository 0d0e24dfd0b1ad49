import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import type { Registry } from '../registry.ts';
import { findRepo } from '../repos/require-repo.ts';
import { type AddedBlob, addBlob } from './add-blob.ts';
import { mismatchesRecorded } from './mismatches-recorded.ts';

export interface NewBlob {
  readonly repo: string;
  readonly digest: Digest;
  /** When it is known before. */
  readonly size?: number | undefined;
  readonly source: AsyncIterable<Uint8Array>;
}

/**
 * Takes the bytes of a blob in as they come, and makes them readable in a repo. The same blob again changes nothing; its
 * bytes are checked all the same, and heal what went bad.
 * @throws WaybillError `repo_not_found`, `digest_mismatch`, `size_mismatch`, `body_too_large`, `file_write_failed`; what
 * `source` throws. Nothing is left of it then
 */
export async function putBlob(
  registry: Registry,
  { repo, digest, size, source }: NewBlob,
  by: string,
): Promise<AddedBlob> {
  await findRepo(registry, repo);
  const { maxBlobBytes: maxBytes } = registry.settings;
  const attempt = { resource: digest, details: { repo, size: size ?? null } };
  const received = await mismatchesRecorded(registry, attempt, by, () =>
    registry.blobs.receive(source, { digest, size, maxBytes }),
  );
  try {
    return await registry.store.write((tx) => addBlob(tx, registry, { ...received, repo }, by));
  } catch (error) {
    // The repo may have been deleted while the bytes came.
    if (error instanceof WaybillError && error.code === 'store_immutable') await findRepo(registry, repo);
    throw error;
  }
}
