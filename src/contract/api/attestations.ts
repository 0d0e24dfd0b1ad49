import { z } from 'zod';
import { idShapes } from '../ids.ts';
import { versionId, versionParams } from './packages.ts';
import { detailed, route } from './route.ts';

export const attestationSchema = z
  .strictObject({
    versionId,
    keyId: z.string().describe('The key that signed: `sha256:` of its SubjectPublicKeyInfo in DER.'),
    digest: z.string().regex(idShapes.digest).describe('Of the envelope as it is kept, in canonical JSON.'),
    envelope: z
      .strictObject({
        payload: z.string().describe('An in-toto Statement v1 with SLSA provenance v1, in base64.'),
        payloadType: z.string(),
        signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.string() })),
      })
      .describe('A DSSE envelope: cosign, or any library for in-toto, verifies it with the public key.'),
  })
  .describe('Which bytes a version is and where they come from, signed.');

export const attestationRoutes = {
  attestation: route('repo.read', 'version_not_found', 'attestation_not_found')
    .route({
      method: 'GET',
      path: '/v1/repos/{repoKey}/packages/versions/{versionId}/attestation',
      operationId: 'getAttestation',
      tags: ['Versions'],
      summary: 'Show the attestation of a version',
      ...detailed,
    })
    .input(z.object({ params: versionParams }))
    .output(attestationSchema),
};
