import { z } from 'zod';
import { bundleSchema } from './evidence.ts';
import { idShapes } from './ids.ts';

const digest = z.string().regex(idShapes.digest);
const size = z.int().min(0);
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.(\d{3}|\d{6})Z$/);

/** A self-contained copy of a release: everything `waybill verify` needs, on any machine, without a workspace. */
export const releaseBundleSchema = z
  .strictObject({
    schema: z.literal('waybill.release-bundle.v1'),
    createdAt: time,
    createdBy: z.string(),
    version: z.strictObject({
      versionId: z.string().regex(idShapes.version),
      repo: z.string().regex(idShapes.repo),
      type: z.string().min(1),
      name: z.string().min(1),
      version: z.string().min(1),
      digest,
      run: z.string().regex(idShapes.run).nullable(),
      publishedAt: time,
      publishedBy: z.string(),
    }),
    /** Its bytes as base64. */
    manifest: z.strictObject({ mediaType: z.string(), digest, size, body: z.string() }),
    entries: z.array(z.strictObject({ path: z.string().min(1), digest, size, mediaType: z.string().nullable() })),
    /** The DSSE envelope as it is kept, digested as text. */
    attestation: z.strictObject({ envelope: z.string(), keyId: z.string(), digest }).nullable(),
    /** The key that signed, in PEM. It tells whether the signature is whole; whose it is, it cannot tell. */
    publicKey: z.string().nullable(),
    /** Bytes by digest, base64: those of files that the bundle of the run does not hold. */
    blobs: z.record(z.string().regex(idShapes.digest), z.string()),
    /** The bundle of the run it was made by. */
    run: bundleSchema.nullable(),
    /** Over all lines of the file but this, its last: `head -n -1 FILE | sha256sum`. */
    digest,
  })
  .describe('A published version with its manifest, files, attestation and the run it comes from.');
export type ReleaseBundle = z.infer<typeof releaseBundleSchema>;
