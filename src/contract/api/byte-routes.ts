import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { coordinateParams, repoKey } from './packages.ts';
import type { PlainRoute } from './plain-routes.ts';
import { blobSchema, uploadLengthHeader, uploadOffsetHeader, uploadParams } from './uploads.ts';

export const bytesMediaType = 'application/octet-stream';

const digest = z
  .string()
  .regex(idShapes.digest, 'must be sha256:<64 hex>')
  .describe('The SHA-256 of the bytes, as sha256:<64 hex>.');
const blobParams = z.strictObject({ repoKey, digest });
const fileParams = coordinateParams.extend({
  path: z.string().min(1).describe('The path of the file in the version; its slashes may stand as they are.'),
});

const etag = z.string().describe('The digest, in quotes: the bytes of an address never change.');
const ofBytes = {
  etag,
  'accept-ranges': z.literal('bytes'),
  'content-length': z.string().describe('How many bytes follow.'),
};

const conditions = {
  'if-match': 'Answers 412 when none of these is the ETag.',
  'if-none-match': 'Answers 304, without bytes, when one of these is the ETag.',
};
const ranges = {
  range: 'One range, as `bytes=0-99`, `bytes=100-` or `bytes=-100`. Several are answered with the whole.',
  'if-range': 'The range is given only when this is the ETag, and the whole otherwise.',
};

const whole = {
  status: 200,
  description: 'The bytes.',
  mediaTypes: [bytesMediaType],
  schema: null,
  headers: z.looseObject(ofBytes),
} as const;
const part = {
  status: 206,
  description: 'The range of the bytes.',
  mediaTypes: [bytesMediaType],
  schema: null,
  headers: z.looseObject({ ...ofBytes, 'content-range': z.string().describe('As `bytes 0-99/1234`.') }),
} as const;
const unchanged = {
  status: 304,
  description: 'They are what `If-None-Match` names.',
  mediaTypes: [],
  schema: null,
  headers: z.looseObject({ etag }),
} as const;
const only = { ...whole, description: 'What a GET would answer, without the bytes.', mediaTypes: [] } as const;

const ofDownload = [
  'version_not_found',
  'version_tombstoned',
  'version_quarantined',
  'entry_not_found',
  'blob_missing',
  'blob_corrupt',
  'file_read_failed',
  'precondition_failed',
] as const;
const ofBlob = [
  'blob_unknown',
  'version_quarantined',
  'blob_missing',
  'blob_corrupt',
  'file_read_failed',
  'precondition_failed',
] as const;
const ofUpload = [
  'body_too_large',
  'unsupported_media_type',
  'size_mismatch',
  'request_timeout',
  'file_write_failed',
] as const;

/** Routes that take or give bytes: they are streamed, and no part of them is held in memory. */
export const byteRoutes = {
  putBlob: {
    operationId: 'putBlob',
    method: 'PUT',
    path: '/v1/repos/{repoKey}/blobs/{digest}',
    tag: 'Blobs',
    summary: 'Put a blob into a repo, in one request',
    role: 'repo.write',
    problems: ['digest_mismatch', ...ofUpload],
    params: blobParams,
    takes: bytesMediaType,
    answers: [
      {
        status: 201,
        description: 'A new blob of the repo.',
        mediaTypes: ['application/json'],
        schema: blobSchema,
        headers: z.looseObject({ location: z.string().describe('The path of the blob.'), etag }),
      },
      {
        status: 200,
        description: 'The repo had this blob already.',
        mediaTypes: ['application/json'],
        schema: blobSchema,
        headers: z.looseObject({ location: z.string().describe('The path of the blob.'), etag }),
      },
    ],
  },
  getBlob: {
    operationId: 'getBlob',
    method: 'GET',
    path: '/v1/repos/{repoKey}/blobs/{digest}',
    tag: 'Blobs',
    summary: 'Get a blob, or a range of it',
    role: 'repo.read',
    problems: [...ofBlob, 'range_not_satisfiable'],
    params: blobParams,
    headers: { ...conditions, ...ranges },
    answers: [whole, part, unchanged],
  },
  headBlob: {
    operationId: 'headBlob',
    method: 'HEAD',
    path: '/v1/repos/{repoKey}/blobs/{digest}',
    tag: 'Blobs',
    summary: 'Ask whether a repo has a blob, and how large it is',
    role: 'repo.read',
    problems: [...ofBlob],
    params: blobParams,
    headers: conditions,
    answers: [only, unchanged],
  },
  appendToUpload: {
    operationId: 'appendToUpload',
    method: 'PATCH',
    path: '/v1/repos/{repoKey}/uploads/{uploadId}',
    tag: 'Blobs',
    summary: 'Add bytes at the end of an upload',
    role: 'repo.write',
    problems: ['upload_not_found', 'upload_offset_mismatch', 'lease_held', ...ofUpload],
    params: uploadParams,
    headers: {
      [uploadOffsetHeader]: 'How many bytes are there already. Has to be given; of another number the answer is 409.',
    },
    takes: bytesMediaType,
    answers: [
      {
        status: 204,
        description: 'They are there, also after a power cut.',
        mediaTypes: [],
        schema: null,
        headers: z.looseObject({ [uploadOffsetHeader]: z.string().describe('How many bytes are there now.') }),
      },
    ],
  },
  headUpload: {
    operationId: 'headUpload',
    method: 'HEAD',
    path: '/v1/repos/{repoKey}/uploads/{uploadId}',
    tag: 'Blobs',
    summary: 'Ask where an upload goes on',
    role: 'repo.write',
    problems: ['upload_not_found'],
    params: uploadParams,
    answers: [
      {
        status: 200,
        description: 'Where it goes on.',
        mediaTypes: [],
        schema: null,
        headers: z.looseObject({
          [uploadOffsetHeader]: z.string().describe('How many bytes are there.'),
          [uploadLengthHeader]: z.string().optional().describe('How many there must be, when that was said.'),
        }),
      },
    ],
  },
  getFile: {
    operationId: 'getFile',
    method: 'GET',
    path: '/v1/repos/{repoKey}/packages/{type}/{name}/versions/{version}/files/{+path}',
    tag: 'Versions',
    summary: 'Get a file of a published version, or a range of it',
    role: 'repo.read',
    problems: [...ofDownload, 'range_not_satisfiable'],
    params: fileParams,
    headers: { ...conditions, ...ranges },
    answers: [
      { ...whole, description: 'The bytes, with the media type they were attached with.', mediaTypes: ['*/*'] },
      { ...part, mediaTypes: ['*/*'] },
      unchanged,
    ],
  },
  headFile: {
    operationId: 'headFile',
    method: 'HEAD',
    path: '/v1/repos/{repoKey}/packages/{type}/{name}/versions/{version}/files/{+path}',
    tag: 'Versions',
    summary: 'Ask what a file of a published version is',
    role: 'repo.read',
    problems: [...ofDownload],
    params: fileParams,
    headers: conditions,
    answers: [only, unchanged],
  },
} as const satisfies Record<string, PlainRoute>;
