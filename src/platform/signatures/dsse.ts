import { z } from 'zod';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { isSignedBy, type PublicKey } from './public-key.ts';

/** The Dead Simple Signing Envelope, version 1.0.2 (secure-systems-lab/dsse): a payload, what it is, and who signed both. */

/** Base64 as RFC 4648, section 4, writes it: one text for the same bytes, so that no byte of an envelope is free. */
const base64 = z.string().refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'must be base64');

export const dsseEnvelopeSchema = z.strictObject({
  payload: base64,
  payloadType: z.string().min(1),
  signatures: z.array(z.strictObject({ keyid: z.string().min(1), sig: base64 })).min(1),
});
export type DsseEnvelope = z.infer<typeof dsseEnvelopeSchema>;

/** What is signed: the pre-authentication encoding of type and payload. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** An envelope with one signature, as canonical JSON. */
export function signedEnvelope(
  { payloadType, payload }: { readonly payloadType: string; readonly payload: Uint8Array },
  { key, sign }: { readonly key: PublicKey; readonly sign: (bytes: Uint8Array) => Uint8Array },
): string {
  const sig = Buffer.from(sign(preAuthEncoding(payloadType, payload))).toString('base64');
  const envelope: DsseEnvelope = {
    payload: Buffer.from(payload).toString('base64'),
    payloadType,
    signatures: [{ keyid: key.keyId, sig }],
  };
  return canonicalJson(envelope);
}

/** True when this key made one of the signatures, whatever key they name. */
export function isEnvelopeSignedBy({ payload, payloadType, signatures }: DsseEnvelope, key: PublicKey): boolean {
  const signed = preAuthEncoding(payloadType, Buffer.from(payload, 'base64'));
  return signatures.some(({ sig }) => isSignedBy(key, signed, Buffer.from(sig, 'base64')));
}
