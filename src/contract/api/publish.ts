import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { mediaTypeShape } from './entries.ts';
import { repoParams, versionId, versionParams, versionSchema } from './packages.ts';
import { detailed, route } from './route.ts';

const digest = z.string().regex(idShapes.digest, 'must be sha256:<64 hex>');

export const publishSchema = z
  .strictObject({
    digest: digest
      .optional()
      .describe(
        'What the version must be. With other content, published or not, nothing is done and the answer is 409.',
      ),
  })
  .describe('What is expected of the version.');

export const publishedSchema = z
  .strictObject({
    idempotent: z.boolean().describe('It was published before: nothing was done, and no event was told.'),
    version: versionSchema,
  })
  .describe('A version that is published.');

/** What one request carries is held in memory, several times. */
export const mostWholeFiles = 1_000;
/** No groups that repeat in the expression: on megabytes they would take more stack than there is. */
const base64 = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64')
  .refine((text) => text.length % 4 === 0, 'must be base64, padded to a multiple of four characters');

export const wholeVersionSchema = z
  .strictObject({
    type: z.string().max(64).describe('The type of the package, as for a draft.'),
    name: z.string().max(1024).describe('The name of the package, as its type has names.'),
    version: z.string().max(1024).describe('The version, as its type has versions.'),
    files: z
      .array(
        z
          .strictObject({
            path: z.string().max(4096).describe('As the path of an entry.'),
            content: base64.describe('The bytes of the file, in base64.'),
            mediaType: z.string().max(255).regex(mediaTypeShape, 'must be a media type').optional(),
          })
          .describe('A file with its bytes.'),
      )
      .max(mostWholeFiles),
    manifest: z
      .strictObject({
        content: base64.describe('The bytes of the manifest, in base64; kept as they are.'),
        mediaType: z.string().max(255).optional().describe("The first of the type's unless given."),
      })
      .describe('The manifest with its bytes.'),
  })
  .describe('A small version with all that it is. What does not fit into one request goes by way of a draft.')
  .meta({
    examples: [
      {
        type: 'npm',
        name: 'tool',
        version: '1.0.0',
        files: [{ path: 'tool.js', content: 'Cg==' }],
        manifest: { content: 'eyJuYW1lIjoidG9vbCIsInZlcnNpb24iOiIxLjAuMCJ9' },
      },
    ],
  });

export const publishedWholeSchema = z
  .strictObject({
    versionId,
    digest,
    idempotent: z.boolean().describe('Exactly this was published before: nothing was done, and no event was told.'),
    publishedAt: z.iso.datetime(),
  })
  .describe('A version that was published in one request.');

/** An answer whose status tells published (201) from published before (200). */
const publishedWhole = z.object({
  status: z.union([
    z.literal(201).describe('Published by this request.'),
    z.literal(200).describe('Exactly this was published before.'),
  ]),
  headers: z.looseObject({ location: z.string().describe('The path of the version.') }),
  body: publishedWholeSchema,
});

export const publishRoutes = {
  publishWhole: route(
    'repo.publish',
    'manifest_invalid',
    'version_exists',
    'version_tombstoned',
    'version_conflict',
    'gates_not_green',
    'policy_refused',
    'body_too_large',
  )
    .route({
      method: 'POST',
      path: '/v1/repos/{repoKey}/packages/versions',
      operationId: 'publishWhole',
      tags: ['Versions'],
      summary: 'Publish a small version with its files and its manifest in one request',
      outputStructure: 'detailed',
      ...detailed,
    })
    .input(z.object({ params: repoParams, body: wholeVersionSchema }))
    .output(publishedWhole),
  publish: route(
    'repo.publish',
    'version_not_found',
    'version_tombstoned',
    'version_conflict',
    'version_immutable',
    'draft_expired',
    'draft_empty',
    'blob_not_found',
    'blob_unavailable',
    'manifest_missing',
    'manifest_invalid',
    'gates_not_green',
    'policy_refused',
  )
    .route({
      method: 'POST',
      path: '/v1/repos/{repoKey}/packages/versions/{versionId}/publish',
      operationId: 'publishVersion',
      tags: ['Versions'],
      summary: 'Publish a draft',
      ...detailed,
    })
    .input(z.object({ params: versionParams, body: publishSchema.prefault({}) }))
    .output(publishedSchema),
};
