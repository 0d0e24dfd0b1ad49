import { inTotoPayloadType, type ReleaseStatement, releaseStatementSchema } from '../../../contract/attestation.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { signedEnvelope } from '../../../platform/signatures/dsse.ts';
import type { Signer } from '../ports.ts';
import type { SignedAttestation } from '../publish/write-published.ts';

/** Signs a statement: a DSSE envelope around its canonical JSON. The same statement and key give the same bytes. */
export function signStatement(statement: ReleaseStatement, signer: Signer): SignedAttestation {
  // Through the schema: what it does not let through is never signed.
  const payload = Buffer.from(canonicalJson(releaseStatementSchema.parse(statement)));
  return { envelope: signedEnvelope({ payloadType: inTotoPayloadType, payload }, signer), keyId: signer.key.keyId };
}
