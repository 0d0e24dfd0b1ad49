import type { HttpParts } from '../http-parts.ts';
import { api } from '../request-context.ts';

/** Shows what a version was signed with. */
export function attestationHandlers({ registry }: HttpParts) {
  return {
    attestation: api.versions.attestation.handler(async ({ input: { params } }) => {
      const { getAttestation } = await import('../../../domain/registry/attestation/get-attestation.ts');
      const { envelope, ...facts } = await getAttestation(registry, params.repoKey, params.versionId);
      const { payload, payloadType, signatures } = envelope;
      return { ...facts, envelope: { payload, payloadType, signatures: signatures.map((each) => ({ ...each })) } };
    }),
  };
}
