import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { detailed, route } from './route.ts';

const time = z.iso.datetime();
const count = z.int().min(0);
const digest = z.string().regex(idShapes.digest, 'must be sha256:<64 hex>');
const actor = z.string().describe('`token:<name>`, or `local:<uid>` from the command line.');

export const repoKey = z.string().regex(idShapes.repo, 'must be the key of a repo').describe('The key of the repo.');
export const packageType = z
  .string()
  .regex(/^(?!versions$)[a-z][a-z0-9-]{0,63}$/, 'must be a type of packages: a letter, then letters, digits or "-"')
  .describe('The type of the package, as `generic` or `npm`.');
/** Names with a scope hold a slash, which stands as `%2F` in a path. */
export const packageName = z
  .string()
  .min(1)
  .max(256)
  .describe('The name of the package; the slash of `@scope/name` is written `%2F`.');
export const versionText = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => !text.includes('\0'), 'must not hold a NUL character')
  .describe('The version, as `1.2.0`.');
export const versionId = z
  .string()
  .regex(idShapes.version, 'must be the id of a version: ver_<16 hex>')
  .describe('The id a draft was given; it keeps it when it is published.');

export const repoParams = z.strictObject({ repoKey });
export const versionParams = z.strictObject({ repoKey, versionId });
export const packageParams = z.strictObject({ repoKey, type: packageType, name: packageName });
export const coordinateParams = z.strictObject({
  repoKey,
  type: packageType,
  name: packageName,
  version: versionText,
});

export const cursorParameter = z
  .string()
  .min(1)
  .max(4096)
  .optional()
  .describe('`nextCursor` of the page before; nothing for the first page.');
export const limitParameter = z.coerce
  .number()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .describe('How many there are on a page at most.');
export const nextCursor = z.string().nullable().describe('The `cursor` of the next page; null on the last one.');

export const versionStateSchema = z
  .enum(['draft', 'published', 'tombstoned'])
  .describe('A draft is published once, and can then only be tombstoned.');

export const passedGateSchema = z
  .strictObject({ gate: z.string(), evidence: z.string().regex(idShapes.gateRun).nullable() })
  .describe('A gate that was required of a version, and the gate run that was green.');

export const quarantineMarkSchema = z
  .strictObject({ ruleId: z.string(), reason: z.string(), since: time })
  .describe('A rule that keeps a version from being downloaded.');

const coordinateShape = { type: z.string(), name: z.string(), version: z.string() };

const versionShape = {
  versionId,
  repo: repoKey,
  ...coordinateShape,
  state: versionStateSchema,
  digest: digest.nullable().describe('Of coordinate, manifest and entries; null while it is a draft.'),
  run: z.string().regex(idShapes.run).nullable().describe('The run it was made by, when it was.'),
  tags: z.array(z.string()).describe('The tags that point to it.'),
  quarantine: z.array(quarantineMarkSchema).describe('Why it cannot be downloaded; empty when it can.'),
  createdAt: time,
  createdBy: actor,
  expiresAt: time.nullable().describe('When the draft goes, unless it is published before.'),
  publishedAt: time.nullable(),
  publishedBy: actor.nullable(),
  tombstonedAt: time.nullable(),
  tombstonedBy: actor.nullable(),
  tombstoneReason: z.string().nullable(),
};

export const versionSchema = z
  .strictObject({
    ...versionShape,
    gates: z
      .array(passedGateSchema)
      .nullable()
      .describe('What was required of it when it was published; empty when nothing was, null while it is a draft.'),
    entries: z.strictObject({ count, size: count.describe('Of all entries together, in bytes.') }),
    manifest: z.strictObject({ digest, size: count, mediaType: z.string() }).nullable(),
    attestation: z.strictObject({ keyId: z.string(), digest }).nullable().describe('Null when it is not signed.'),
  })
  .describe('A version in any state.');
export type Version = z.infer<typeof versionSchema>;

export const listedVersionSchema = z.strictObject(versionShape).describe('A version as a list shows it.');
export type ListedVersion = z.infer<typeof listedVersionSchema>;

export const packageSchema = z
  .strictObject({
    repo: repoKey,
    type: z.string(),
    name: z.string(),
    versions: z.strictObject({ draft: count, published: count, tombstoned: count }).describe('How many there are.'),
    latest: z.string().nullable().describe('The version the tag `latest` points to; null while nothing is published.'),
    createdAt: time,
    createdBy: actor,
  })
  .describe('A package, and what is in it by number.');
export type Package = z.infer<typeof packageSchema>;

export const listPackagesQuery = z.strictObject({
  type: packageType.optional().describe('Only packages of this type.'),
  prefix: z.string().min(1).max(256).optional().describe('Only names that begin with this.'),
  limit: limitParameter,
  cursor: cursorParameter,
});
export const packageListSchema = z
  .strictObject({ packages: z.array(packageSchema), nextCursor })
  .describe('Packages by type and name.');

export const listVersionsQuery = z.strictObject({
  state: z
    .union([versionStateSchema.transform((state) => [state]), z.array(versionStateSchema)])
    .default([])
    .describe('Only versions in this state; several times for several states.'),
  limit: limitParameter,
  cursor: cursorParameter,
});
export const versionListSchema = z
  .strictObject({ versions: z.array(listedVersionSchema), nextCursor })
  .describe('Versions, newest first.');

export const tombstoneSchema = z
  .strictObject({ reason: z.string().min(1).max(2000).describe('For whoever asks for it later; kept for ever.') })
  .describe('Why a version is withdrawn.')
  .meta({ examples: [{ reason: 'Its archive was built from the wrong branch.' }] });
export const tombstonedSchema = z
  .strictObject({
    idempotent: z.boolean().describe('It was tombstoned before: nothing was done, and no event was told.'),
    version: versionSchema,
  })
  .describe('A version that is withdrawn.');

export const packageRoutes = {
  list: route('repo.read')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages',
      operationId: 'listPackages',
      tags: ['Packages'],
      summary: 'List packages',
      ...detailed,
    })
    .input(z.object({ params: repoParams, query: listPackagesQuery.prefault({}) }))
    .output(packageListSchema),
  get: route('repo.read', 'package_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}',
      operationId: 'getPackage',
      tags: ['Packages'],
      summary: 'Show a package, and what is in it by number',
      ...detailed,
    })
    .input(z.object({ params: packageParams }))
    .output(packageSchema),
  versions: route('repo.read', 'package_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}/versions',
      operationId: 'listVersions',
      tags: ['Packages'],
      summary: 'List the versions of a package, newest first',
      ...detailed,
    })
    .input(z.object({ params: packageParams, query: listVersionsQuery.prefault({}) }))
    .output(versionListSchema),
  version: route('repo.read', 'package_not_found', 'version_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/{type}/{name}/versions/{version}',
      operationId: 'resolveVersion',
      tags: ['Packages'],
      summary: 'Show the version of a coordinate, published or tombstoned',
      ...detailed,
    })
    .input(z.object({ params: coordinateParams }))
    .output(versionSchema),
};

export const versionRoutes = {
  get: route('repo.read', 'version_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/versions/{versionId}',
      operationId: 'getVersion',
      tags: ['Versions'],
      summary: 'Show a version in any state',
      ...detailed,
    })
    .input(z.object({ params: versionParams }))
    .output(versionSchema),
  tombstone: route('repo.publish', 'version_not_found', 'invalid_transition')
    .route({
      method: 'POST',
      path: '/v1/repos/{repoKey}/packages/versions/{versionId}/tombstone',
      operationId: 'tombstoneVersion',
      tags: ['Versions'],
      summary: 'Withdraw a published version for ever',
      ...detailed,
    })
    .input(z.object({ params: versionParams, body: tombstoneSchema }))
    .output(tombstonedSchema),
};
