import { inTotoPayloadType, type ReleaseStatement, releaseStatementSchema } from '../../../contract/attestation.ts';
import { problemsText, shapeProblems } from '../../../contract/shape-problems.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { type DsseEnvelope, dsseEnvelopeSchema, isEnvelopeSignedBy } from '../../../platform/signatures/dsse.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import { formatCoordinate } from '../packages/parse-coordinate.ts';
import type { ProvenPackage } from './check-package.ts';
import { assertLink, BrokenRelease } from './release-link.ts';
import type { ReleaseContent } from './release-source.ts';

/** Whether a key that somebody here trusts signed it: another question than whether it is intact. */
export type Authenticity = 'unsigned' | 'signed' | 'wrong_key' | 'not_checked';

export interface TrustedKeys {
  /** The key that must have signed it. */
  readonly given: PublicKey | null;
  /** The one this workspace pins; asked when none was given. */
  readonly pinned: PublicKey | null;
  /** One that came with the release, and vouches for nobody. */
  readonly included: PublicKey | null;
}

/** The envelope of a version, read and held against its own copies. @throws BrokenRelease */
export function readEnvelope({ attestation }: ReleaseContent): DsseEnvelope | null {
  if (attestation === null) return null;
  assertLink('attestation', 'the digest of the envelope', attestation.digest, digestOf(attestation.envelope));
  const parsed = dsseEnvelopeSchema.safeParse(jsonOf(attestation.envelope, 'the envelope'));
  if (!parsed.success) throw misshapen('the envelope', parsed.error);
  assertLink('attestation', 'the canonical form of the envelope', canonicalJson(parsed.data), attestation.envelope);
  assertLink('attestation', 'the key id', attestation.keyId, parsed.data.signatures[0]?.keyid ?? 'none');
  return parsed.data;
}

/** Which of the keys signed it. A key that the envelope names and whose signature does not hold is a broken link. */
export function authenticity(envelope: DsseEnvelope | null, { given, pinned, included }: TrustedKeys): Authenticity {
  if (envelope === null) return 'unsigned';
  const trusted = given ?? pinned;
  if (trusted !== null && isEnvelopeSignedBy(envelope, trusted)) return 'signed';
  const named = envelope.signatures.map(({ keyid }) => keyid);
  for (const key of [given, pinned, included]) {
    if (key === null || !named.includes(key.keyId) || isEnvelopeSignedBy(envelope, key)) continue;
    throw new BrokenRelease(
      'attestation',
      'the signature',
      `one made by the key ${key.keyId}`,
      'one that this key did not make',
    );
  }
  return trusted === null ? 'not_checked' : 'wrong_key';
}

/**
 * What was signed, held against the version: the very digest and files.
 * @throws BrokenRelease
 */
export function checkAttestation(
  envelope: DsseEnvelope,
  { coordinate }: ReleaseContent,
  { entries, digest }: ProvenPackage,
): ReleaseStatement {
  assertLink('attestation', 'the type of the payload', inTotoPayloadType, envelope.payloadType);
  const text = Buffer.from(envelope.payload, 'base64').toString('utf8');
  const parsed = releaseStatementSchema.safeParse(jsonOf(text, 'the payload'));
  if (!parsed.success) throw misshapen('the payload', parsed.error);
  assertLink('attestation', 'the canonical form of the payload', canonicalJson(parsed.data), text);
  const [version, ...files] = parsed.data.subject;
  assertLink('attestation', 'the version it is of', formatCoordinate(coordinate), version?.name ?? 'none');
  assertLink('attestation', 'the digest of the version', hexOf(digest), version?.digest.sha256 ?? 'none');
  assertLink('attestation', 'how many files it names', String(entries.length), String(files.length));
  const signed = new Map(files.map((file) => [file.name, file.digest.sha256]));
  for (const entry of entries) {
    assertLink('attestation', `the file ${entry.path}`, hexOf(entry.digest), signed.get(entry.path) ?? 'not named');
  }
  return parsed.data;
}

function jsonOf(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BrokenRelease('attestation', where, 'JSON', error instanceof Error ? error.message : String(error));
  }
}

function misshapen(where: string, error: { readonly issues: Parameters<typeof shapeProblems>[0] }): BrokenRelease {
  return new BrokenRelease('attestation', where, 'what its format says', problemsText(shapeProblems(error.issues)));
}
