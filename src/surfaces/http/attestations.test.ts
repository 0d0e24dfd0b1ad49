import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { openReleaseWorld, publishRequest } from '../../../test/support/release-world.ts';
import { attestationSchema } from '../../contract/api/attestations.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import { releaseStatementSchema } from '../../contract/attestation.ts';
import { publishRun } from '../../domain/registry/release/publish-run.ts';
import { isEnvelopeSignedBy } from '../../platform/signatures/dsse.ts';
import { openTestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

describe.each(bothStores)('attestations over HTTP, on %s', (_engine, open) => {
  test('G24 a version’s attestation is shown to whoever may read its repo; a version without one says so', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    await using server = await openTestServer({ works: false, parts: () => ({ registry: releases.registry }) });
    const made = await publishRun(releases, publishRequest(await world.build()), 'me');
    const coordinate = { type: 'waybill-run', name: 'my-tool', version: '1.3.0' };
    const plain = await publishRun(releases, publishRequest(await world.build(), { coordinate, unsigned: true }), 'me');
    const at = (versionId: string) => `/v1/repos/local/packages/versions/${versionId}/attestation`;
    const shown = await server.ask('GET', at(made.versionId), { as: 'repo-read' });
    expect(shown.status).toBe(200);
    const { envelope, keyId, digest } = attestationSchema.parse(shown.json);
    expect({ keyId, digest }).toEqual(made.attestation);
    const { key } = await releases.signing.open();
    expect(isEnvelopeSignedBy(envelope, key)).toBe(true);
    const statement = releaseStatementSchema.parse(
      JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')),
    );
    expect(statement.subject[0]?.name).toBe('waybill-run:my-tool@1.2.0');

    const none = await server.ask('GET', at(plain.versionId), { as: 'repo-read' });
    expect([none.status, problemSchema.parse(none.json).code]).toEqual([404, 'attestation_not_found']);
    const elsewhere = await server.ask('GET', at(made.versionId), { as: 'elsewhere' });
    expect([elsewhere.status, problemSchema.parse(elsewhere.json).code]).toEqual([404, 'repo_not_found']);
  });
});
