import { z } from 'zod';
import { idShapes } from './ids.ts';
import { jsonValueSchema } from './json-value.ts';

/**
 * What a published version is attested with: an in-toto Statement v1 (in-toto/attestation, spec/v1) with the SLSA
 * provenance predicate v1 (slsa.dev/spec/v1.0/provenance), in a DSSE envelope. No input of the run is in it, only digests.
 */
export const statementType = 'https://in-toto.io/Statement/v1';
export const provenanceType = 'https://slsa.dev/provenance/v1';
/** The type of the payload in the envelope. */
export const inTotoPayloadType = 'application/vnd.in-toto+json';
/** How the parameters are to be read: a version that was made by a run of Waybill. */
export const releaseBuildType = 'urn:waybill:build-type:run.v1';
/** Who built it: Waybill on a machine of the workspace's owner. It says nothing of how that machine is guarded. */
export const releaseBuilderId = 'urn:waybill:builder:workspace.v1';

const sha256 = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.(\d{3}|\d{6})Z$/);
const digest = z.string().regex(idShapes.digest);

const dependency = z.union([
  z.strictObject({
    uri: z.string().min(1),
    digest: z.strictObject({ gitCommit: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/) }),
    /** `dirty`: whether there were changes that were not committed; null when it is not known. */
    annotations: z.strictObject({ dirty: z.boolean().nullable() }),
  }),
  z.strictObject({ name: z.enum(['snapshot', 'accepted snapshot', 'input']), digest: sha256 }),
]);

const byproduct = z.union([
  z.strictObject({
    name: z.literal('ledger'),
    digest: sha256,
    annotations: z.strictObject({ events: z.int().min(1) }),
  }),
  z.strictObject({
    name: z.literal('receipt'),
    digest: sha256,
    annotations: z.strictObject({
      run: z.string().regex(idShapes.run),
      number: z.int().min(1),
      step: z.string().min(1),
      outcome: z.enum(['succeeded', 'failed']),
    }),
  }),
]);

export const releaseStatementSchema = z
  .strictObject({
    _type: z.literal(statementType),
    /** First the version itself, under `type:name@version` with its digest, then each file by its path. */
    subject: z.array(z.strictObject({ name: z.string().min(1), digest: sha256 })).min(2),
    predicateType: z.literal(provenanceType),
    predicate: z.strictObject({
      buildDefinition: z.strictObject({
        buildType: z.literal(releaseBuildType),
        externalParameters: z.strictObject({
          package: z.strictObject({ type: z.string().min(1), name: z.string().min(1), version: z.string().min(1) }),
          workflow: z.string().min(1),
          tasks: z.array(z.string()),
          tool: z.string().nullable(),
        }),
        /** What the builder chose or found: the contracts as digests, the platform, and how processes were contained. */
        internalParameters: z.strictObject({
          workflow: z.strictObject({ version: z.string().nullable(), codeDigest: digest.nullable() }),
          tool: jsonValueSchema,
          configDigest: digest.nullable(),
          environment: z.strictObject({
            fingerprint: digest,
            os: z.string(),
            arch: z.string(),
            node: z.string(),
            containment: z.string(),
          }),
        }),
        resolvedDependencies: z.array(dependency),
      }),
      runDetails: z.strictObject({
        builder: z.strictObject({ id: z.literal(releaseBuilderId), version: z.record(z.string(), z.string()) }),
        metadata: z.strictObject({
          invocationId: z.string().regex(idShapes.run),
          startedOn: time,
          finishedOn: time,
        }),
        /** The ledger by its last digest, then each receipt. */
        byproducts: z.array(byproduct).min(1),
      }),
    }),
  })
  .describe('What the attestation of a published version says: which bytes it is, and the run they come from.');
export type ReleaseStatement = z.infer<typeof releaseStatementSchema>;
