import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { problemSchema } from '../../contract/api/problem.ts';
import { giveBlob } from '../../domain/registry/testing/give-blob.ts';
import { digestOf } from '../../platform/digests/digest.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

const versions = '/v1/repos/local/packages/versions';
const tool = { type: 'generic', name: 'tool', version: '1.0.0' };

const asking =
  (server: TestServer) => (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    server.ask(method, path, { as: 'repo-write', ...(body !== undefined && { body }), ...(headers && { headers }) });

/** The problem of an answer, as far as the tests look at it. */
function problemOf({ status, json }: { readonly status: number; readonly json: unknown }) {
  const { code, issues, detail } = problemSchema.parse(json);
  return { status, code, issues: issues.map(({ path, message }) => `${path} ${message}`), detail };
}

describe('drafts over HTTP', () => {
  test('G5 G8 made, found again, shown where Location says, listed and deleted', async () => {
    await using server = await openTestServer({ works: false });
    const ask = asking(server);
    const made = await ask('POST', `${versions}/drafts`, tool);
    expect(made).toMatchObject({
      status: 201,
      json: { ...tool, repo: 'local', state: 'draft', reusedDraft: false, changed: 0 },
    });
    const again = await ask('POST', `${versions}/drafts`, tool);
    expect(again).toMatchObject({ status: 200, json: { reusedDraft: true } });
    expect(again.headers.location).toBe(made.headers.location);
    const location = made.headers.location ?? '';
    expect(await ask('GET', location)).toMatchObject({ status: 200, json: { ...tool, state: 'draft', digest: null } });
    expect(await ask('GET', `${versions}/drafts?type=generic&name=tool&limit=1`)).toMatchObject({
      status: 200,
      json: { drafts: [{ ...tool, state: 'draft' }], nextCursor: null },
    });
    const versionId = location.split('/').at(-1);
    expect(await ask('DELETE', location)).toMatchObject({ status: 200, json: { versionId } });
    expect(problemOf(await ask('GET', location))).toMatchObject({ status: 404, code: 'version_not_found' });
    expect(await ask('GET', `${versions}/drafts`)).toMatchObject({ json: { drafts: [] } });
    expect(await ask('POST', `${versions}/drafts`, tool)).toMatchObject({ status: 201 });
  });

  test('G5 each violation has its place in the request', async () => {
    await using server = await openTestServer({ works: false });
    const ask = asking(server);
    const entries = [
      { path: 'a', digest: digestOf(''), size: 0 },
      { path: '../b', digest: digestOf(''), size: 0 },
      { path: 'c', digest: digestOf(''), size: 0 },
      { path: 'a', digest: digestOf(''), size: 0 },
    ];
    const bad = await ask('POST', `${versions}/drafts`, { type: 'npm', name: '.Tool', version: 'v1', entries });
    expect(problemOf(bad)).toMatchObject({
      status: 400,
      code: 'invalid_input',
      issues: [
        'body.name must not have capital letters',
        'body.name must not begin with "."',
        'body.version must be a semantic version: three numbers, as 1.2.3',
        'body.entries[0].path is named twice: also by entries[3].path',
        'body.entries[1].path must not have a segment ".."',
        'body.entries[3].path is named twice: also by entries[0].path',
      ],
    });
    const nowhere = await ask('POST', '/v1/repos/local/packages/versions/drafts', { ...tool, type: 'cargo' });
    expect(problemOf(nowhere).issues).toEqual([
      'body.type is no type of packages here; there are generic, npm, oci-image, waybill-run',
    ]);
  });

  test('G6 entries: 409 names every missing digest, and paths are one part of an address', async () => {
    await using server = await openTestServer({ works: false });
    const ask = asking(server);
    const location = (await ask('POST', `${versions}/drafts`, tool)).headers.location ?? '';
    const missing = Array.from({ length: 150 }, (_, index) => digestOf(`${index}`));
    const entries = missing.map((digest, index) => ({ path: `f/${index}`, digest, size: 1 }));
    const refused = problemOf(await ask('POST', `${location}/entries`, { entries }));
    expect(refused).toMatchObject({ status: 409, code: 'blob_not_found' });
    expect(refused.issues).toEqual(
      missing.map((digest, index) => `body.entries[${index}].digest ${digest} is not in the repo local`),
    );

    const blob = await giveBlob(server.parts.registry, 'x');
    // 1024 bytes in UTF-8, three times as many in an address.
    const long = `${'ü/'.repeat(341)}z`;
    const paths = ['a b/ü#?%2F', long];
    const given = { entries: paths.map((path) => ({ path, ...blob })) };
    expect(await ask('POST', `${location}/entries`, given)).toMatchObject({
      status: 200,
      json: { changed: 2, count: 2 },
    });
    expect(await ask('POST', `${location}/entries`, given)).toMatchObject({
      status: 200,
      json: { changed: 0, unchanged: 2 },
    });
    const page = await ask('GET', `${location}/entries?limit=1`);
    expect(page).toMatchObject({ json: { entries: [{ path: paths[0], ...blob, mediaType: null }] } });
    for (const [index, path] of paths.entries()) {
      const removed = await ask('DELETE', `${location}/entries/${encodeURIComponent(path)}`);
      expect(removed).toMatchObject({ status: 200, json: { count: 1 - index } });
    }
    const gone = await ask('DELETE', `${location}/entries/${encodeURIComponent(long)}`);
    expect(problemOf(gone)).toMatchObject({ status: 404, code: 'entry_not_found' });
  });

  test('G7 a manifest comes back byte by byte, with its type and its digest', async () => {
    await using server = await openTestServer({ works: false });
    const ask = asking(server);
    const oci = { type: 'oci-image', name: 'org/tool', version: 'latest' };
    const location = (await ask('POST', `${versions}/drafts`, oci)).headers.location ?? '';
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('{}'), size: 2 };
    const body = `{ "schemaVersion" : 2,\r\n "layers": [],\t"config": ${JSON.stringify(config)}}\n`;
    const put = await ask('PUT', `${location}/manifest`, body, { 'content-type': `${mediaType}; charset=utf-8` });
    expect(put).toMatchObject({
      status: 200,
      headers: { etag: `"${digestOf(body)}"` },
      json: {
        digest: digestOf(body),
        size: body.length,
        mediaType,
        changed: true,
        pending: [{ pointer: '/config/digest', message: 'is no entry' }],
      },
    });
    const got = await ask('GET', `${location}/manifest`);
    expect(got).toMatchObject({
      status: 200,
      text: body,
      headers: { 'content-type': mediaType, etag: put.headers.etag },
    });
    const known = await ask('GET', `${location}/manifest`, undefined, {
      'if-none-match': `"other", ${put.headers.etag}`,
    });
    expect([known.status, known.text]).toEqual([304, '']);

    const wrong = await ask('PUT', `${location}/manifest`, '{"schemaVersion":2,"config":{}}', {
      'content-type': mediaType,
    });
    expect(problemOf(wrong)).toMatchObject({ status: 422, code: 'manifest_invalid' });
    expect(problemOf(wrong).issues).toContain('manifest#/layers expected array, received undefined');
    expect(problemOf(wrong).issues.filter((issue) => issue.startsWith('manifest#/config/'))).toHaveLength(3);
    expect(
      problemOf(await ask('PUT', `${location}/manifest`, '{"a":1,"a":2}', { 'content-type': mediaType })).issues,
    ).toEqual(['manifest#/a is there twice']);
    expect(problemOf(await ask('PUT', `${location}/manifest`, '{}', { 'content-type': 'text/plain' }))).toMatchObject({
      status: 415,
    });
    const large = await ask('PUT', `${location}/manifest`, ' '.repeat(1_048_577), { 'content-type': mediaType });
    expect(problemOf(large)).toMatchObject({ status: 413, code: 'body_too_large' });
    expect((await ask('GET', `${location}/manifest`)).text).toBe(body);
    const nothing = await ask('PUT', `${location}/manifest`, '', { 'content-type': mediaType });
    expect(problemOf(nothing)).toMatchObject({ status: 422, issues: ['manifest# is not JSON'] });
  });

  test('G7 JSON is a manifest like any other: not read as a body of ours', async () => {
    await using server = await openTestServer({ works: false });
    const ask = asking(server);
    const location = (await ask('POST', `${versions}/drafts`, tool)).headers.location ?? '';
    const body = '{ "b": 1, "a": [ ] }';
    const put = await ask('PUT', `${location}/manifest`, body, { 'content-type': 'application/json' });
    expect(put).toMatchObject({ status: 200, json: { mediaType: 'application/json', size: body.length } });
    expect((await ask('GET', `${location}/manifest`)).text).toBe(body);
    // The routes beside it still read JSON.
    expect(await ask('POST', `${location}/entries`, { entries: [] })).toMatchObject({ status: 200 });
    const other = await ask('PUT', `${versions}/ver_0000000000000000/manifest`, body);
    expect(problemOf(other)).toMatchObject({ status: 404, code: 'version_not_found' });
    const noId = await ask('PUT', `${versions}/nonsense/manifest`, body);
    expect(problemOf(noId)).toMatchObject({ status: 400, code: 'invalid_input' });
  });

  test('G5 G6 G7 G15 what is published is told from a draft by every route, also where the database says so', async () => {
    await using server = await openTestServer({ works: false });
    const ask = asking(server);
    const blob = await giveBlob(server.parts.registry, 'x');
    const entries = [{ path: 'a', ...blob }];
    const made = await ask('POST', `${versions}/drafts`, { ...tool, entries });
    expect(made).toMatchObject({ status: 201, json: { changed: 1 } });
    const location = made.headers.location ?? '';
    await ask('PUT', `${location}/manifest`, '{}');
    const published = await server.ask('POST', `${location}/publish`, { as: 'repo-publish' });
    expect(published).toMatchObject({ status: 200, json: { version: { state: 'published' } } });
    const { digest } = z.object({ version: z.object({ digest: z.string() }) }).parse(published.json).version;

    const immutable = { status: 409, code: 'version_immutable' };
    expect(problemOf(await ask('POST', `${location}/entries`, { entries }))).toMatchObject(immutable);
    expect(problemOf(await ask('DELETE', `${location}/entries/a`))).toMatchObject(immutable);
    expect(problemOf(await ask('PUT', `${location}/manifest`, '{}'))).toMatchObject(immutable);
    expect(problemOf(await ask('DELETE', location))).toMatchObject(immutable);
    const taken = problemOf(await ask('POST', `${versions}/drafts`, tool));
    expect(taken).toMatchObject({ status: 409, code: 'version_exists' });
    expect(taken.issues[0]).toContain(
      `body.version is published as ${location.split('/').at(-1)}, with the digest ${digest}`,
    );
    expect(await ask('GET', `${location}/manifest`)).toMatchObject({ status: 200, text: '{}' });

    // The same words when the guard is the database's own.
    const byHand = server.parts.registry.store.write(({ db }) => db.deleteFrom('version_entry').execute());
    await expect(byHand).rejects.toMatchObject({ code: 'version_immutable' });
    expect(await ask('GET', `${location}/entries`)).toMatchObject({ json: { entries: [{ path: 'a' }] } });
  });
});
