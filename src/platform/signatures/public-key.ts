import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import { digestOf } from '../digests/digest.ts';

/** An Ed25519 public key (RFC 8032). */
export interface PublicKey {
  /** SHA-256 of its SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7). */
  readonly keyId: Digest;
  /** The same in PEM, as `openssl pkey -pubin` reads it. */
  readonly pem: string;
}

/**
 * Reads a public key in PEM; of a private one its public part.
 * @param where what it was read from, for the error
 * @throws WaybillError `signing_key_invalid`
 */
export function parsePublicKey(pem: string, where: string): PublicKey {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw notAKey(where, 'it holds no key in PEM', error);
  }
  return publicKeyOf(key, where);
}

/** @throws WaybillError `signing_key_invalid` for a key of another kind */
export function publicKeyOf(key: KeyObject, where: string): PublicKey {
  if (key.asymmetricKeyType !== 'ed25519') throw notAKey(where, `it is of the kind ${key.asymmetricKeyType}`);
  const der = key.export({ type: 'spki', format: 'der' });
  return { keyId: digestOf(der), pem: key.export({ type: 'spki', format: 'pem' }).toString() };
}

/** True when the key signed exactly these bytes. */
export function isSignedBy({ pem }: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, bytes, createPublicKey(pem), signature);
}

function notAKey(where: string, what: string, cause?: unknown): WaybillError {
  return new WaybillError('signing_key_invalid', `${where} is not an Ed25519 key: ${what}`, {
    hint: 'Give the public key in PEM, as `waybill keys show` prints it.',
    details: { path: where },
    ...(cause === undefined ? {} : { cause }),
  });
}
