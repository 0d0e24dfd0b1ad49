import type { UploadAnswer } from '../../../contract/api/uploads.ts';
import type { Upload } from '../../../domain/registry/blobs/uploads.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

const uploads = () => import('../../../domain/registry/blobs/uploads.ts');

/** Uploads but for their bytes; loaded when one is first asked for, so that a start need not pay for it. */
export function uploadHandlers({ registry }: Pick<HttpParts, 'registry'>) {
  return {
    start: api.uploads.start.handler(async ({ input: { params, body }, context }) => {
      const { startUpload } = await uploads();
      const { digest, size } = body;
      const wanted = { repo: params.repoKey, size, digest: digest === undefined ? undefined : parseDigest(digest) };
      const upload = await startUpload(registry, wanted, context.caller.actor);
      const location = `/v1/repos/${upload.repo}/uploads/${upload.uploadId}`;
      return { status: 201 as const, headers: { location }, body: uploadView(upload) };
    }),
    get: api.uploads.get.handler(async ({ input: { params } }) => {
      const { describeUpload } = await uploads();
      return uploadView(await describeUpload(registry, placeOf(params)));
    }),
    finish: api.uploads.finish.handler(async ({ input: { params, query }, context }) => {
      const { finishUpload } = await uploads();
      const digest = query.digest === undefined ? undefined : parseDigest(query.digest);
      const blob = await finishUpload(registry, { ...placeOf(params), digest }, context.caller.actor);
      const location = `/v1/repos/${params.repoKey}/blobs/${blob.digest}`;
      return { status: blob.added ? (201 as const) : (200 as const), headers: { location }, body: { ...blob } };
    }),
    discard: api.uploads.discard.handler(async ({ input: { params }, context }) => {
      const { describeUpload, discardUpload } = await uploads();
      const upload = await describeUpload(registry, placeOf(params));
      await discardUpload(registry, placeOf(params), context.caller.actor);
      return uploadView(upload);
    }),
  };
}

function placeOf({ repoKey, uploadId }: { readonly repoKey: string; readonly uploadId: string }) {
  return { repo: repoKey, uploadId };
}

function uploadView({ uploadId, repo, offset, digest, size, madeAt, madeBy, expiresAt }: Upload): UploadAnswer {
  const times = { createdAt: formatTime(madeAt), expiresAt: formatTime(expiresAt) };
  return { uploadId, repo, offset, digest, size, createdBy: madeBy, ...times };
}
