import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { afterAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { builtFiles, openReleaseWorld, publishRequest } from '../../../../test/support/release-world.ts';
import { releaseStatementSchema } from '../../../contract/attestation.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { dsseEnvelopeSchema } from '../../../platform/signatures/dsse.ts';
import type { PublicKey } from '../../../platform/signatures/public-key.ts';
import type { Registry } from '../registry.ts';
import { publishRun } from '../release/publish-run.ts';

afterAll(dropDatabases);

async function envelopeOf({ store }: Registry, versionId: string) {
  const row = await store.read(({ db }) =>
    db.selectFrom('version_attestation').selectAll().where('version', '=', versionId).executeTakeFirstOrThrow(),
  );
  return dsseEnvelopeSchema.parse(JSON.parse(row.envelope));
}

/** Asks sigstore's verifier, which shares no line with ours. @throws VerificationError */
function askSigstore(envelope: z.infer<typeof dsseEnvelopeSchema>, key: PublicKey): void {
  const bundle = bundleFromJSON({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: key.keyId } },
    dsseEnvelope: envelope,
  });
  const der = Buffer.from(key.pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const trust = toTrustMaterial(
    { mediaType: '', certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] },
    { [key.keyId]: { rawBytes: der, keyDetails: 7 } },
  );
  const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
  verifier.verify(toSignedEntity(bundle));
}

describe.each(bothStores)('the attestation of a version on %s', (_engine, open) => {
  test('G24 a version carries an in-toto statement with SLSA provenance, and no input of its run', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const secret = 'the-launch-code-is-0451';
    const run = await world.build(builtFiles, { secret });
    const made = await publishRun(releases, publishRequest(run), 'me');
    const envelope = await envelopeOf(releases.registry, made.versionId);
    expect(envelope.payloadType).toBe('application/vnd.in-toto+json');
    const payload = Buffer.from(envelope.payload, 'base64').toString('utf8');
    const statement = releaseStatementSchema.parse(JSON.parse(payload));
    expect(canonicalJson(statement)).toBe(payload);
    const commit = world.git('rev-parse', 'HEAD').trim();
    const [row] = await releases.registry.store.read(({ db }) =>
      db.selectFrom('run').select(['head_seq', 'head_digest', 'snapshot_digest']).where('id', '=', run).execute(),
    );
    expect(statement).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://slsa.dev/provenance/v1',
      subject: [
        { name: 'waybill-run:my-tool@1.2.0', digest: { sha256: made.digest?.slice('sha256:'.length) } },
        { name: 'dist/lib/deep.js' },
        { name: 'dist/tool.js', digest: { sha256: hexOf(digestOf(builtFiles['dist/tool.js'] ?? '')) } },
      ],
      predicate: {
        buildDefinition: {
          externalParameters: { package: { name: 'my-tool', version: '1.2.0' }, workflow: 'build', tasks: [] },
          resolvedDependencies: [
            { uri: `git+file:tree@${commit}`, digest: { gitCommit: commit }, annotations: { dirty: false } },
            { name: 'snapshot', digest: { sha256: row?.snapshot_digest?.slice('sha256:'.length) } },
            { name: 'input' },
          ],
        },
        runDetails: {
          metadata: { invocationId: run },
          byproducts: [
            {
              name: 'ledger',
              digest: { sha256: row?.head_digest.slice('sha256:'.length) },
              annotations: { events: row?.head_seq },
            },
            { name: 'receipt', annotations: { number: 1, step: 'prepare', outcome: 'succeeded' } },
            { name: 'receipt', annotations: { number: 2 } },
          ],
        },
      },
    });
    expect(payload).not.toContain(secret);
    expect(payload).not.toContain(world.root);
  });

  test('G24 an independent verifier accepts the attestation, and refuses it with one byte changed or another key', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const made = await publishRun(releases, publishRequest(await world.build()), 'me');
    const envelope = await envelopeOf(releases.registry, made.versionId);
    const { key } = await releases.signing.open();
    askSigstore(envelope, key);

    const payload = Buffer.from(envelope.payload, 'base64');
    payload.writeUInt8(payload.readUInt8(40) ^ 1, 40);
    const changed = { ...envelope, payload: payload.toString('base64') };
    expect(() => askSigstore(changed, key)).toThrow('signature verification failed');
    await using other = await openReleaseWorld(await open());
    const { key: otherKey } = await other.releases.signing.open();
    expect(() => askSigstore(envelope, otherKey)).toThrow('signature verification failed');
    expect(() => askSigstore({ ...envelope, payloadType: 'application/json' }, key)).toThrow();
  });
});
