import { z } from 'zod';
import { idShapes } from '../ids.ts';

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
export const versionText = z.string().min(1).max(256).describe('The version, as `1.2.0`.');
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
