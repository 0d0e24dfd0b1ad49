import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { mostEntries, newEntrySchema } from './entries.ts';
import {
  cursorParameter,
  limitParameter,
  listedVersionSchema,
  nextCursor,
  packageName,
  packageType,
  repoKey,
  repoParams,
  versionId,
  versionParams,
} from './packages.ts';
import { detailed, route } from './route.ts';

const time = z.iso.datetime();
const count = z.int().min(0);

// The rules of names and versions are those of the type, which lists every violation; here is only what holds for all.
export const newDraftSchema = z
  .strictObject({
    type: z.string().max(64).describe('The type of the package: `generic`, `npm`, `oci-image`, `waybill-run`.'),
    name: z.string().max(1024).describe('The name of the package, as its type has names.'),
    version: z.string().max(1024).describe('The version, as its type has versions.'),
    run: z
      .string()
      .regex(idShapes.run, 'must be the id of a run')
      .optional()
      .describe('The run it is made by. A draft keeps it: asking for the same coordinate with another one is refused.'),
    entries: z
      .array(newEntrySchema)
      .max(mostEntries)
      .optional()
      .describe('Files it has from the first moment on, all of them or none; the same as `addEntries`.'),
  })
  .describe('A draft to be made.')
  .meta({ examples: [{ type: 'generic', name: 'tool', version: '1.0.0' }] });

export const madeDraftSchema = z
  .strictObject({
    versionId,
    repo: repoKey,
    type: z.string(),
    name: z.string(),
    version: z.string(),
    state: z.literal('draft'),
    reusedDraft: z.boolean().describe('It was there already. Its time goes on from when it was made.'),
    expiresAt: time.nullable().describe('When it goes, unless it is published before.'),
    changed: count.describe('How many entries were added or replaced.'),
  })
  .describe('A draft that was made or found.');

export const listDraftsQuery = z.strictObject({
  type: packageType.optional().describe('Only drafts of packages of this type.'),
  name: packageName.optional().describe('Only drafts of packages of this name.'),
  limit: limitParameter,
  cursor: cursorParameter,
});
export const draftListSchema = z
  .strictObject({ drafts: z.array(listedVersionSchema), nextCursor })
  .describe('The drafts of a repo, newest first.');
export const deletedDraftSchema = z.strictObject({ versionId }).describe('A draft that was deleted.');

const drafts = '/v1/repos/{repoKey}/packages/versions/drafts' as const;
const version = '/v1/repos/{repoKey}/packages/versions/{versionId}' as const;

/** An answer whose status tells made (201) from found (200). */
const madeOrFound = z.object({
  status: z.union([
    z.literal(201).describe('A new draft.'),
    z.literal(200).describe('The draft there is of this coordinate.'),
  ]),
  headers: z.looseObject({ location: z.string().describe('The path of the version.') }),
  body: madeDraftSchema,
});

export const draftRoutes = {
  create: route(
    'repo.write',
    'version_exists',
    'version_conflict',
    'run_not_found',
    'blob_not_found',
    'size_mismatch',
    'digest_mismatch',
  )
    .route({
      method: 'POST',
      path: drafts,
      operationId: 'createDraft',
      tags: ['Drafts'],
      summary: 'Make a draft of a version, or find the one there is',
      outputStructure: 'detailed',
      ...detailed,
    })
    .input(z.object({ params: repoParams, body: newDraftSchema }))
    .output(madeOrFound),
  list: route('repo.read')
    .route({
      method: 'GET',
      path: drafts,
      operationId: 'listDrafts',
      tags: ['Drafts'],
      summary: 'List the drafts of a repo, newest first',
      ...detailed,
    })
    .input(z.object({ params: repoParams, query: listDraftsQuery.prefault({}) }))
    .output(draftListSchema),
  delete: route('repo.write', 'version_not_found', 'version_immutable')
    .route({
      method: 'DELETE',
      path: version,
      operationId: 'deleteDraft',
      tags: ['Drafts'],
      summary: 'Delete a draft with its entries and its manifest',
      ...detailed,
    })
    .input(z.object({ params: versionParams }))
    .output(deletedDraftSchema),
};
