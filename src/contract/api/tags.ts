import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { packageParams, versionText } from './packages.ts';

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
