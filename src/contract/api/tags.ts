import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { packageParams, versionText } from './packages.ts';
import { detailed, route } from './route.ts';

/** No tag looks like a version, so that `name@1.2.0` and `name@stable` are never mistaken for each other. */
export const tagShape = /^(?![vV]\d)[A-Za-z][A-Za-z0-9._-]{0,127}$/;
export const tagName = z
  .string()
  .regex(tagShape, 'must be a tag: a letter, then letters, digits, ".", "_" or "-", and nothing like v1.2')
  .describe('The name of the tag.');

export const tagParams = packageParams.extend({ tag: tagName });
export const setTagSchema = z
  .strictObject({ version: versionText.describe('A published version of the package.') })
  .describe('Where a tag is to point.')
  .meta({ examples: [{ version: '1.2.0' }] });

const tagFields = {
  tag: z.string(),
  version: z.string(),
  versionId: z.string().regex(idShapes.version),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
  automatic: z
    .boolean()
    .describe('True for `latest` while nobody has set it: then it is the version that was published last.'),
};
export const tagSchema = z.strictObject(tagFields).describe('A tag, and where it points.');
export type Tag = z.infer<typeof tagSchema>;
export const changedTagSchema = z
  .strictObject({ ...tagFields, changed: z.boolean().describe('False when it pointed there already.') })
  .describe('A tag that was set.');
export const tagListSchema = z
  .strictObject({ tags: z.array(tagSchema) })
  .describe('The tags of a package by name, `latest` among them as soon as anything is published.');

export const tagRoutes = {
  list: route('repo.read', 'package_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}/tags',
      operationId: 'listTags',
      tags: ['Tags'],
      summary: 'List the tags of a package',
      ...detailed,
    })
    .input(z.object({ params: packageParams }))
    .output(tagListSchema),
  get: route('repo.read', 'package_not_found', 'tag_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}/tags/{tag}',
      operationId: 'getTag',
      tags: ['Tags'],
      summary: 'Show where a tag points',
      ...detailed,
    })
    .input(z.object({ params: tagParams }))
    .output(tagSchema),
  set: route('repo.publish', 'package_not_found', 'version_not_found', 'version_tombstoned', 'version_exists')
    .route({
      method: 'PUT',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}/tags/{tag}',
      operationId: 'setTag',
      tags: ['Tags'],
      summary: 'Make a tag point to a published version',
      ...detailed,
    })
    .input(z.object({ params: tagParams, body: setTagSchema }))
    .output(changedTagSchema),
  remove: route('repo.publish', 'package_not_found', 'tag_not_found')
    .route({
      method: 'DELETE',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}/tags/{tag}',
      operationId: 'removeTag',
      tags: ['Tags'],
      summary: 'Remove a tag; the answer is where it pointed',
      ...detailed,
    })
    .input(z.object({ params: tagParams }))
    .output(tagSchema),
};
