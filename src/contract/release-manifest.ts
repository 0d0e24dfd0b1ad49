import { z } from 'zod';
import { idShapes } from './ids.ts';

/** The media type of a release manifest, canonical JSON of `releaseManifestSchema`. */
export const releaseManifestMediaType = 'application/vnd.waybill.release.v1+json';

const digest = z.string().regex(idShapes.digest, 'must be sha256:<64 hex>');
const size = z.int().min(0);

/** What `waybill publish` writes about a run it makes a version of: the manifest of packages of the type `waybill-run`. */
export const releaseManifestSchema = z
  .strictObject({
    schema: z.literal('waybill.release.v1'),
    package: z.strictObject({ name: z.string().min(1), version: z.string().min(1) }),
    run: z.string().regex(idShapes.run, 'must be the id of a run'),
    workflow: z.string().min(1),
    /** The commit the run began on; null outside of git. */
    commit: z
      .string()
      .regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'must be the 40 or 64 hex digits of a commit')
      .nullable(),
    /** Whether the checkout had changes that were not committed; null when it is not known. */
    dirty: z.boolean().nullable(),
    /** Of the workspace as the run found it; null when it took no snapshot. */
    snapshot: digest.nullable(),
    ledger: z.strictObject({ events: z.int().min(1), digest }),
    artifacts: z.array(z.strictObject({ path: z.string().min(1), digest, size })).min(1),
  })
  .describe('Where a release comes from: the run, its commit and its ledger, and the files it gave.');
export type ReleaseManifest = z.infer<typeof releaseManifestSchema>;
