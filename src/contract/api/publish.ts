import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { versionParams, versionSchema } from './packages.ts';
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
export type PublishedAnswer = z.infer<typeof publishedSchema>;

export const publishRoutes = {
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
