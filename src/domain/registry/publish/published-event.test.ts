import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { publishVersion } from './publish-version.ts';

afterAll(dropDatabases);

describe.each(bothStores)('the event of a publish, on %s', (_name, open) => {
  test('G17 says all a consumer needs, in the order of the package, unchanged by redaction', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const files = { 'bin/tool': 'one', 'lib/ü.js': 'two' };
    const first = await arrangeDraft(registry, { files });
    const second = await arrangeDraft(registry, { files, packageId: first.packageId, version: '1.0.1' });
    const attestation = { envelope: '{"payload":"e30="}', keyId: `sha256:${'a'.repeat(64)}` };
    const published = await publishVersion(registry, { ...first, attestation }, 'local:7');
    await publishVersion(registry, second, 'local:7');
    const rows = await registry.store.read(({ db }) => db.selectFrom('outbox').selectAll().orderBy('id').execute());
    expect(
      rows.map(({ aggregate, aggregate_seq, type, delivered_at }) => ({
        aggregate,
        aggregate_seq,
        type,
        delivered_at,
      })),
    ).toEqual(
      [1, 2].map((aggregate_seq) => ({
        aggregate: `package:${first.packageId}`,
        aggregate_seq,
        type: 'dev.waybill.version.published',
        delivered_at: null,
      })),
    );
    expect(JSON.parse(rows[0]?.payload ?? '')).toEqual({
      schema: 'waybill.version.published.v1',
      repo: 'local',
      type: 'generic',
      name: 'tool',
      version: '1.0.0',
      versionId: first.versionId,
      packageId: first.packageId,
      digest: published.digest,
      manifest: { digest: digestOf('{}'), size: 2, mediaType: 'application/json' },
      entries: [
        { path: 'bin/tool', digest: digestOf('one'), size: 3, mediaType: null },
        { path: 'lib/ü.js', digest: digestOf('two'), size: 3, mediaType: null },
      ],
      entryCount: 2,
      size: 6,
      run: null,
      attestation: { keyId: attestation.keyId, digest: digestOf(attestation.envelope) },
      actor: 'local:7',
      publishedAt: new Date(Math.floor(published.publishedAt / 1000)).toISOString(),
    });
    const [stored] = await registry.store.read(({ db }) => db.selectFrom('version_attestation').selectAll().execute());
    expect(stored).toMatchObject({
      version: first.versionId,
      envelope: attestation.envelope,
      key_id: attestation.keyId,
    });
  });
});
