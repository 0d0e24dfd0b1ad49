import { dirname } from 'node:path';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import { writeStream } from '../../../platform/blobs/write-stream.ts';
import { DigestStream } from '../../../platform/digests/digest.ts';
import { throughTemporaryFile } from '../../../platform/files/temporary-file.ts';
import { findFile } from '../blobs/find-file.ts';
import type { Coordinate } from '../package-types/package-type.ts';
import type { Registry } from '../registry.ts';
import { findWritten } from './find-version.ts';
import type { WrittenCoordinate } from './parse-coordinate.ts';

export interface DownloadedFile {
  readonly coordinate: Coordinate;
  readonly path: string;
  /** Where it lies now. */
  readonly file: string;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Writes a file of a published version to disk, in constant memory, when its bytes are those that were published: a file
 * of that name is there with the right content, or as it was.
 * @param request.file where to, in a folder that exists; what is there is replaced
 * @throws WaybillError `repo_not_found`, `package_not_found`, `version_not_found`, `entry_not_found`,
 * `version_tombstoned`, `version_quarantined`, `blob_missing`, `blob_corrupt`, `file_write_failed`
 */
export async function downloadFile(
  registry: Registry,
  request: {
    readonly repo: string;
    readonly written: WrittenCoordinate;
    readonly path: string;
    readonly file: string;
  },
): Promise<DownloadedFile> {
  const { repo, written, path, file } = request;
  const { coordinate } = await findWritten(registry, repo, written);
  const { digest, size } = await findFile(registry, { repo, coordinate, path });
  await throughTemporaryFile({ folder: dirname(file), mode: 0o644, subject: file }, async (handle) => {
    await using blob = await registry.blobs.open(digest);
    const read = new DigestStream();
    await writeStream(handle, blob.stream(), { position: 0, look: (chunk) => void read.update(chunk) });
    if (read.finish() !== digest) throw damaged(path, digest);
    return { path: file };
  });
  return { coordinate, path, file, digest, size };
}

function damaged(path: string, digest: Digest): WaybillError {
  return new WaybillError('blob_corrupt', `the bytes stored for ${path} are not the ones that were published`, {
    hint: 'Nothing was written. `waybill fsck` says what else is damaged; restore it from a backup.',
    details: { path, digest },
  });
}
