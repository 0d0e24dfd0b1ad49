import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { cursorParameter, nextCursor, versionParams } from './packages.ts';
import { detailed, route } from './route.ts';

/** The most files one version has, and one request names. */
export const mostEntries = 10_000;

const digest = z.string().regex(idShapes.digest, 'must be sha256:<64 hex>');
const size = z.int().min(0);
const count = z.int().min(0);
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`), `must be ${digits} hex digits`);
// RFC 9110, section 8.3.1.
const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
export const mediaTypeShape = new RegExp(
  `^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|"[ !#-\\[\\]-~]*"))*$`,
);

export const newEntrySchema = z
  .strictObject({
    path: z
      .string()
      .max(4096)
      .describe(
        'Relative, with slashes; in the Unicode form NFC, without `.`, `..`, backslash or control characters, 1024 bytes at most and 255 a segment. No two paths of a version differ only in case, and none is a folder of another.',
      ),
    digest: digest.describe('Of a blob that was uploaded to this repo.'),
    size: size.describe('Of the blob, in bytes.'),
    mediaType: z
      .string()
      .max(255)
      .regex(mediaTypeShape, 'must be a media type')
      .optional()
      .describe('What a download says it is; a file whose entry has none is `application/octet-stream`.'),
    checksums: z
      .strictObject({ sha256: hex(64).optional(), sha512: hex(128).optional(), sha1: hex(40).optional() })
      .optional()
      .describe('Further digests of the same bytes, in hex; they are checked, and not kept.'),
  })
  .describe('A file of a draft.');

export const addEntriesSchema = z
  .strictObject({ entries: z.array(newEntrySchema).max(mostEntries) })
  .describe('Files a draft is to be given, all of them or none.')
  .meta({
    examples: [
      {
        entries: [
          {
            path: 'bin/tool',
            digest: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
            size: 0,
          },
        ],
      },
    ],
  });

export const changedEntriesSchema = z
  .strictObject({
    changed: count.describe('How many were added or replaced; 0 when all were there with these digests.'),
    added: count,
    replaced: count,
    unchanged: count,
    count: count.describe('How many the draft has now.'),
  })
  .describe('What came of it.');

export const removedEntrySchema = z
  .strictObject({ count: count.describe('How many the draft has now.') })
  .describe('An entry was removed.');

export const entrySchema = z
  .strictObject({ path: z.string(), digest, size, mediaType: z.string().nullable() })
  .describe('A file of a version.');
export const entryListSchema = z
  .strictObject({ entries: z.array(entrySchema), nextCursor })
  .describe('The files of a version in the order of their paths, byte by byte.');

export const listEntriesQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(200).describe('How many there are on a page at most.'),
  cursor: cursorParameter,
});

export const entryParams = versionParams.extend({
  path: z.string().min(1).max(1024).describe('The path of the entry; each slash is written `%2F`.'),
});

const base = '/v1/repos/{repoKey}/packages/versions/{versionId}/entries' as const;
const ofChange = ['version_not_found', 'version_immutable', 'draft_expired'] as const;

export const entryRoutes = {
  list: route('repo.read', 'version_not_found')
    .route({
      method: 'GET',
      path: base,
      operationId: 'listEntries',
      tags: ['Drafts'],
      summary: 'List the files of a version',
      ...detailed,
    })
    .input(z.object({ params: versionParams, query: listEntriesQuery.prefault({}) }))
    .output(entryListSchema),
  add: route('repo.write', ...ofChange, 'blob_not_found', 'size_mismatch', 'digest_mismatch')
    .route({
      method: 'POST',
      path: base,
      operationId: 'addEntries',
      tags: ['Drafts'],
      summary: 'Give a draft files, or other bytes for those it has',
      ...detailed,
    })
    .input(z.object({ params: versionParams, body: addEntriesSchema }))
    .output(changedEntriesSchema),
  remove: route('repo.write', ...ofChange, 'entry_not_found')
    .route({
      method: 'DELETE',
      path: `${base}/{path}`,
      operationId: 'removeEntry',
      tags: ['Drafts'],
      summary: 'Take a file out of a draft',
      ...detailed,
    })
    .input(z.object({ params: entryParams }))
    .output(removedEntrySchema),
};
