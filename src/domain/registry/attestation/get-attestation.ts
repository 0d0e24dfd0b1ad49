import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, isId, type VersionId } from '../../../contract/ids.ts';
import { parseDigest } from '../../../platform/digests/digest.ts';
import { type DsseEnvelope, dsseEnvelopeSchema } from '../../../platform/signatures/dsse.ts';
import type { Registry } from '../registry.ts';
import { requireRepo } from '../repos/require-repo.ts';
import { versionNotFound } from '../version-not-found.ts';

export interface StoredAttestation {
  readonly versionId: VersionId;
  readonly keyId: string;
  readonly digest: Digest;
  readonly envelope: DsseEnvelope;
}

/**
 * The attestation of a version. It stays readable when the version is tombstoned, as its digest does.
 * @throws WaybillError `repo_not_found`, `version_not_found`, `attestation_not_found`, `attestation_invalid`
 */
export async function getAttestation(
  { store }: Pick<Registry, 'store'>,
  repo: string,
  versionId: string,
): Promise<StoredAttestation> {
  if (!isId('version', versionId)) throw versionNotFound(repo, versionId);
  const row = await store.read(async (tx) => {
    await requireRepo(tx, repo);
    return await tx.db
      .selectFrom('version')
      .leftJoin('version_attestation as attestation', 'attestation.version', 'version.id')
      .select(['attestation.envelope', 'attestation.key_id as keyId', 'attestation.digest'])
      .where('version.id', '=', versionId)
      .where('version.repo', '=', repo)
      .executeTakeFirst();
  });
  if (row === undefined) throw versionNotFound(repo, versionId);
  const { envelope, keyId, digest } = row;
  if (envelope === null || keyId === null || digest === null) {
    throw new WaybillError('attestation_not_found', `${versionId} has no attestation`, {
      hint: 'It is a draft, or was published by hand or with --unsigned.',
      details: { versionId },
    });
  }
  const parsed = dsseEnvelopeSchema.safeParse(JSON.parse(envelope));
  if (parsed.success) return { versionId, keyId, digest: parseDigest(digest), envelope: parsed.data };
  throw new WaybillError('attestation_invalid', `the attestation of ${versionId} is not one`, {
    hint: 'Find what is broken with `waybill verify`, and restore the store from a backup.',
    details: { versionId },
  });
}
