import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { problemSchema } from '../../contract/api/problem.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

const versions = '/v1/repos/local/packages/versions';

/** A draft made by hand over HTTP: blob, draft, manifest, entry; answers where it is. */
async function draftByHand(server: TestServer, version: string, text: string): Promise<string> {
  const as = 'repo-publish';
  const digest = digestOf(text);
  const headers = { 'content-type': 'application/octet-stream' };
  expect(await server.ask('PUT', `/v1/repos/local/blobs/${digest}`, { as, body: text, headers })).toMatchObject({
    status: 201,
  });
  const coordinate = { type: 'generic', name: 'tool', version };
  const made = await server.ask('POST', `${versions}/drafts`, { as, body: coordinate });
  const at = made.headers.location ?? '';
  expect(made.status).toBe(201);
  const entries = [{ path: 'bin/tool', digest, size: Buffer.byteLength(text) }];
  expect(await server.ask('POST', `${at}/entries`, { as, body: { entries } })).toMatchObject({ status: 200 });
  expect(await server.ask('PUT', `${at}/manifest`, { as, body: '{ "by": "hand" }' })).toMatchObject({ status: 200 });
  return at;
}

describe.each(bothStores)('publishing over HTTP, on %s', (_name, open) => {
  test('G9 G12 G15 by hand: upload, draft, entry, manifest, publish; again; and then nothing changes it', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const at = await draftByHand(server, '1.0.0', 'one');
    const as = 'repo-publish';
    const first = await server.ask('POST', `${at}/publish`, { as });
    expect(first).toMatchObject({
      status: 200,
      json: { idempotent: false, version: { state: 'published', gates: [] } },
    });
    const again = await server.ask('POST', `${at}/publish`, { as });
    expect(again).toMatchObject({ status: 200, json: { idempotent: true } });
    const shown = await server.ask('GET', '/v1/repos/local/packages/generic/tool/versions/1.0.0', { as });
    expect(shown.json).toMatchObject({ state: 'published', entries: { count: 1, size: 3 }, gates: [] });
    const file = await server.ask('GET', '/v1/repos/local/packages/generic/tool/versions/1.0.0/files/bin/tool', { as });
    expect([file.status, file.text, file.headers.etag]).toEqual([200, 'one', `"${digestOf('one')}"`]);
    const manifest = await server.ask('GET', `${at}/manifest`, { as });
    expect(manifest.text).toBe('{ "by": "hand" }');

    const late = [{ path: 'late', digest: digestOf('one'), size: 3 }];
    const refused = [
      await server.ask('POST', `${at}/entries`, { as, body: { entries: late } }),
      await server.ask('DELETE', `${at}/entries/bin%2Ftool`, { as }),
      await server.ask('PUT', `${at}/manifest`, { as, body: '{}' }),
      await server.ask('DELETE', at, { as }),
    ];
    expect(refused.map(({ status, json }) => [status, problemSchema.parse(json).code])).toEqual(
      refused.map(() => [409, 'version_immutable']),
    );
    const taken = await server.ask('POST', `${versions}/drafts`, {
      as,
      body: { type: 'generic', name: 'tool', version: '1.0.0' },
    });
    expect([taken.status, problemSchema.parse(taken.json).code]).toEqual([409, 'version_exists']);
  });

  test('G12 G14 a refusal says what was expected and found, and lists what is missing', async () => {
    await using server = await openTestServer({
      ...(await open()),
      works: false,
      configuration: { registry: { gates: ['run-checks'] } },
    });
    const as = 'repo-publish';
    const at = await draftByHand(server, '1.0.0', 'one');
    const red = problemSchema.parse((await server.ask('POST', `${at}/publish`, { as })).json);
    expect(red).toMatchObject({
      status: 409,
      code: 'gates_not_green',
      details: { gates: [{ gate: 'run-checks', state: 'red', evidence: expect.stringMatching(/^gr_/) }] },
    });
    const digest = digestOf('something else');
    const conflict = problemSchema.parse((await server.ask('POST', `${at}/publish`, { as, body: { digest } })).json);
    expect(conflict).toMatchObject({ status: 409, code: 'version_conflict', details: { expected: digest } });
    const empty = await server.ask('POST', `${versions}/drafts`, {
      as,
      body: { type: 'generic', name: 'empty', version: '1' },
    });
    const nothing = await server.ask('POST', `${empty.headers.location}/publish`, { as });
    expect(problemSchema.parse(nothing.json)).toMatchObject({ status: 409, code: 'draft_empty' });
    expect(await server.ask('POST', `${versions}/ver_0000000000000000/publish`, { as })).toMatchObject({ status: 404 });
    const audit = await server.ask('GET', '/v1/audit?action=package.version.publish.refused', { as: 'auditor' });
    expect(audit).toMatchObject({
      status: 200,
      json: {
        records: [
          { outcome: 'refused', reason: 'draft_empty' },
          { reason: 'version_conflict' },
          { reason: 'gates_not_green' },
        ],
      },
    });
  });

  test('G14 a version of one request: base64 that is not whole is refused, megabytes of it are taken', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const as = 'repo-publish';
    const body = (content: string) => ({
      type: 'generic',
      name: 'tool',
      version: '1.0.0',
      files: [{ path: 'a', content }],
      manifest: { content: 'e30=' },
    });
    for (const content of ['AAA', 'AA=', 'A', 'A!==']) {
      const refused = problemSchema.parse((await server.ask('POST', versions, { as, body: body(content) })).json);
      expect(refused).toMatchObject({ status: 400, issues: [{ path: 'body.files[0].content' }] });
    }
    const large = Buffer.alloc(9_000_000, 'x').toString('base64');
    expect(await server.ask('POST', versions, { as, body: body(large) })).toMatchObject({ status: 201 });
  });
});
