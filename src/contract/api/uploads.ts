import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { repoKey, repoParams } from './packages.ts';
import { detailed, route } from './route.ts';

const digest = z.string().regex(idShapes.digest, 'must be sha256:<64 hex>');
const size = z.int().min(0).describe('In bytes.');

/** Where bytes go on: as many as are there. In the answers of an upload, and in the request that adds to it. */
export const uploadOffsetHeader = 'upload-offset';
/** How many bytes an upload will have, where that was said. */
export const uploadLengthHeader = 'upload-length';

export const uploadId = z
  .string()
  .regex(idShapes.upload, 'must be the id of an upload: upl_<32 hex>')
  .describe('The id an upload was given when it was started.');
export const uploadParams = z.strictObject({ repoKey, uploadId });

export const newUploadSchema = z
  .strictObject({
    digest: digest.optional().describe('What the bytes will be. It may be given at the end instead.'),
    size: size.optional().describe('How many bytes will come. More are refused, and with less it is not finished.'),
  })
  .describe('An upload that comes in parts.');

export const uploadSchema = z
  .strictObject({
    uploadId,
    repo: repoKey,
    offset: size.describe('How many bytes are there: where to go on.'),
    digest: digest.nullable().describe('What the bytes must be; null when it is not said yet.'),
    size: size.nullable().describe('How many there must be; null when it was not said.'),
    createdAt: z.iso.datetime(),
    createdBy: z.string().describe('`token:<name>`, or `local:<uid>` from the command line.'),
    expiresAt: z.iso.datetime().describe('When it is removed, unless more comes before.'),
  })
  .describe('An upload that is not finished.');
export type UploadAnswer = z.infer<typeof uploadSchema>;

export const blobSchema = z
  .strictObject({
    digest,
    size,
    added: z.boolean().describe('False when the repo had it already: then nothing was changed.'),
  })
  .describe('A blob of a repo.');
export type BlobAnswer = z.infer<typeof blobSchema>;

/** Routes of an upload that take and give JSON; those that take bytes are in `byte-routes.ts`. */
export const uploadRoutes = {
  start: route('repo.write', 'body_too_large')
    .route({
      method: 'POST',
      path: '/v1/repos/{repoKey}/uploads',
      operationId: 'startUpload',
      tags: ['Blobs'],
      summary: 'Begin an upload that comes in parts',
      successStatus: 201,
      inputStructure: 'detailed',
      outputStructure: 'detailed',
    })
    .input(z.object({ params: repoParams, body: newUploadSchema.prefault({}) }))
    .output(
      z.object({
        status: z.union([z.literal(201).describe('A new upload.')]),
        headers: z.looseObject({ location: z.string().describe('The path of the upload.') }),
        body: uploadSchema,
      }),
    ),
  get: route('repo.write', 'upload_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/uploads/{uploadId}',
      operationId: 'getUpload',
      tags: ['Blobs'],
      summary: 'Show an upload, and where it goes on',
      ...detailed,
    })
    .input(z.object({ params: uploadParams }))
    .output(uploadSchema),
  finish: route('repo.write', 'upload_not_found', 'digest_mismatch', 'size_mismatch', 'lease_held')
    .route({
      method: 'PUT',
      path: '/v1/repos/{repoKey}/uploads/{uploadId}',
      operationId: 'finishUpload',
      tags: ['Blobs'],
      summary: 'Check the bytes of an upload, and make them a blob',
      inputStructure: 'detailed',
      outputStructure: 'detailed',
    })
    .input(
      z.object({
        params: uploadParams,
        query: z
          .strictObject({ digest: digest.optional().describe('What the bytes must be, unless it was said before.') })
          .prefault({}),
      }),
    )
    .output(
      z.object({
        status: z.union([
          z.literal(201).describe('A new blob of the repo.'),
          z.literal(200).describe('The repo had this blob already.'),
        ]),
        headers: z.looseObject({ location: z.string().describe('The path of the blob.') }),
        body: blobSchema,
      }),
    ),
  discard: route('repo.write', 'upload_not_found', 'lease_held')
    .route({
      method: 'DELETE',
      path: '/v1/repos/{repoKey}/uploads/{uploadId}',
      operationId: 'discardUpload',
      tags: ['Blobs'],
      summary: 'Discard an upload with all its bytes',
      ...detailed,
    })
    .input(z.object({ params: uploadParams }))
    .output(uploadSchema),
};
