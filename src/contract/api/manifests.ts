import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { jsonValueSchema } from '../json-value.ts';
import { versionParams } from './packages.ts';
import type { PlainRoute } from './plain-routes.ts';

export const manifestAnswerSchema = z
  .strictObject({
    digest: z.string().regex(idShapes.digest).describe('Of the bytes as they came.'),
    size: z.int().min(0),
    mediaType: z.string(),
    changed: z.boolean().describe('False when the draft had these very bytes.'),
    pending: z
      .array(z.strictObject({ pointer: z.string(), message: z.string() }))
      .describe(
        'What still keeps the version from being published: entries that are missing or differ, each with its JSON pointer.',
      ),
  })
  .describe('A manifest that was put.');

/** What the built-in types take; the first is what most have. */
const manifestMediaTypes = [
  'application/json',
  'application/vnd.npm.package+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.waybill.release.v1+json',
];
const path = '/v1/repos/{repoKey}/packages/versions/{versionId}/manifest';
const tag = 'Drafts';

/** A manifest is bytes, which are kept as they come. */
export const manifestRoutes = {
  putManifest: {
    operationId: 'putManifest',
    method: 'PUT',
    path,
    tag,
    summary: 'Give a draft its manifest, kept byte by byte',
    role: 'repo.write',
    problems: [
      'version_not_found',
      'version_immutable',
      'draft_expired',
      'manifest_invalid',
      'body_too_large',
      'unsupported_media_type',
    ],
    params: versionParams,
    headers: {
      'content-type': 'A media type that manifests of this type of packages have; the first of them unless given.',
    },
    takes: '*/*',
    answers: [
      {
        status: 200,
        description: 'The draft has this manifest.',
        mediaTypes: ['application/json'],
        schema: manifestAnswerSchema,
      },
    ],
  },
  getManifest: {
    operationId: 'getManifest',
    method: 'GET',
    path,
    tag,
    summary: 'Read the manifest of a version, byte by byte as it came',
    role: 'repo.read',
    problems: ['version_not_found', 'manifest_not_found'],
    params: versionParams,
    headers: { 'if-none-match': 'An `ETag` that is known already.' },
    answers: [
      {
        status: 200,
        description: 'The manifest; its `ETag` is its digest.',
        mediaTypes: manifestMediaTypes,
        schema: z.record(z.string(), jsonValueSchema),
      },
      { status: 304, description: 'It is the one that is known.', mediaTypes: [], schema: null },
    ],
  },
} as const satisfies Record<string, PlainRoute>;
