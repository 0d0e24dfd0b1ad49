import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { makeRule } from '../../../domain/registry/policy/make-rule.ts';
import { publishVersion } from '../../../domain/registry/publish/publish-version.ts';
import { arrangeDraft } from '../../../domain/registry/testing/arrange-draft.ts';
import { tombstoneVersion } from '../../../domain/registry/tombstone/tombstone-version.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { exchange } from '../testing/exchange.ts';
import { openTestServer, type TestServer } from '../testing/open-test-server.ts';

afterAll(dropDatabases);

const bytes = randomBytes(300_000);
const digest = digestOf(bytes);
const blob = `/v1/repos/local/blobs/${digest}`;
const uploads = '/v1/repos/local/uploads';
const started = z.object({ uploadId: z.string() });
const noGates = { registry: { gates: [] } };

const codes = (code: string) => ({ json: expect.objectContaining({ code }) });

describe.each(bothStores)('bytes over HTTP on %s', (_engine, open) => {
  test('G1 a blob is put in one request; the same again changes nothing', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const first = await exchange(server, 'PUT', blob, { body: bytes });
    expect(first).toMatchObject({ status: 201, json: { digest, size: bytes.length, added: true } });
    expect(first.headers).toMatchObject({ location: blob, etag: `"${digest}"` });
    const inChunks = await exchange(server, 'PUT', blob, { body: Readable.from([bytes]) });
    expect(inChunks).toMatchObject({ status: 200, json: { added: false } });
    const typed = { 'content-type': 'application/json' };
    expect(await exchange(server, 'PUT', blob, { body: bytes, headers: typed })).toMatchObject({ status: 200 });
    const empty = `/v1/repos/local/blobs/${digestOf('')}`;
    expect(await exchange(server, 'PUT', empty, { body: Buffer.alloc(0) })).toMatchObject({ status: 201 });
    expect((await exchange(server, 'GET', empty)).body).toHaveLength(0);
    expect(filesOf(server)).toHaveLength(2);
  });

  test('G1 G4 what is not what it was said to be is 409 with both, and leaves nothing', async () => {
    const configuration = { registry: { maxBlobBytes: 1_000_000 } };
    await using server = await openTestServer({ ...(await open()), works: false, configuration });
    const other = digestOf('other');
    const wrong = await exchange(server, 'PUT', `/v1/repos/local/blobs/${other}`, { body: bytes });
    expect(wrong).toMatchObject({
      status: 409,
      json: { code: 'digest_mismatch', details: { expected: other, actual: digest }, issues: [{ path: 'body' }] },
    });
    const large = Buffer.alloc(1_000_001);
    for (const body of [large, Readable.from([large])]) {
      expect(await exchange(server, 'PUT', blob, { body })).toMatchObject({ ...codes('body_too_large'), status: 413 });
    }
    for (const path of ['/v1/repos/local/blobs/x', '/v1/repos/local/blobs/sha256:12']) {
      expect(await exchange(server, 'PUT', path, { body: bytes })).toMatchObject({
        status: 400,
        json: { code: 'invalid_input', issues: [{ path: 'params.digest' }] },
      });
    }
    const zipped = { 'content-encoding': 'gzip' };
    expect(await exchange(server, 'PUT', blob, { body: bytes, headers: zipped })).toMatchObject({ status: 415 });
    expect(filesOf(server)).toEqual([]);
  });

  test('G4 a connection that is lost in the middle leaves nothing of a PUT, and what came of a PATCH', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    await loseConnection(server, 'PUT', blob, {}, async () => {
      await expect.poll(() => filesOf(server).length).toBe(1);
    });
    await expect.poll(() => filesOf(server)).toEqual([]);
    const place = await startUpload(server);
    const offset = async () => Number((await exchange(server, 'HEAD', place)).headers['upload-offset']);
    await loseConnection(server, 'PATCH', place, { 'upload-offset': '0' }, async () => {
      await expect.poll(() => filesOf(server).length).toBeGreaterThan(0);
    });
    await expect.poll(offset).toBe(100_000);
    await patch(server, place, 100_000, bytes.subarray(100_000));
    expect(await exchange(server, 'PUT', `${place}?digest=${digest}`)).toMatchObject({ status: 201 });
    expect(filesOf(server)).toHaveLength(1);
  });

  test('G1 parts are added at the offset there is, over a restart, and end as a blob', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const place = await startUpload(server, { digest, size: bytes.length });
    expect(await patch(server, place, 0, bytes.subarray(0, 120_000))).toMatchObject({
      status: 204,
      headers: { 'upload-offset': '120000' },
    });
    expect(await patch(server, place, 5, bytes)).toMatchObject({
      status: 409,
      headers: { 'upload-offset': '120000' },
      json: { code: 'upload_offset_mismatch', details: { offset: 120_000 } },
    });
    expect(await exchange(server, 'PATCH', place, { body: bytes })).toMatchObject({
      status: 400,
      json: { issues: [{ path: 'headers.upload-offset' }] },
    });
    await server.restart();
    expect(await exchange(server, 'HEAD', place)).toMatchObject({
      status: 200,
      headers: { 'upload-offset': '120000', 'upload-length': '300000' },
    });
    expect(await exchange(server, 'PUT', place)).toMatchObject({
      ...codes('size_mismatch'),
      status: 409,
    });
    expect(await patch(server, place, 120_000, bytes)).toMatchObject({ ...codes('size_mismatch'), status: 409 });
    expect(await patch(server, place, 120_000, bytes.subarray(120_000))).toMatchObject({ status: 204 });
    const asked = await exchange(server, 'GET', place);
    expect(asked).toMatchObject({ status: 200, json: { offset: 300_000, size: 300_000, digest, repo: 'local' } });
    const finished = await exchange(server, 'PUT', place);
    expect(finished).toMatchObject({ status: 201, headers: { location: blob }, json: { digest, added: true } });
    for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
      expect(await exchange(server, method, place), method).toMatchObject({ status: 404 });
    }
    expect((await exchange(server, 'GET', blob)).body).toEqual(bytes);
  });

  test('G1 G4 an upload with wrong bytes is gone; a discarded one too', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const place = await startUpload(server);
    await patch(server, place, 0, bytes);
    expect(await exchange(server, 'PUT', place)).toMatchObject({ status: 400, json: { code: 'invalid_input' } });
    expect(await exchange(server, 'PUT', `${place}?digest=${digestOf('other')}`)).toMatchObject({
      status: 409,
      json: { code: 'digest_mismatch', details: { actual: digest } },
    });
    expect(await exchange(server, 'GET', place)).toMatchObject({ status: 404 });
    const other = await startUpload(server);
    await patch(server, other, 0, bytes);
    expect(await exchange(server, 'DELETE', other)).toMatchObject({ status: 200, json: { offset: 300_000 } });
    expect(await exchange(server, 'DELETE', other)).toMatchObject({ status: 404, ...codes('upload_not_found') });
    expect(filesOf(server)).toEqual([]);
  });

  test('G2 whole, by range, and by condition', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    await exchange(server, 'PUT', blob, { body: bytes });
    const etag = `"${digest}"`;
    const get = (headers: Record<string, string>, method = 'GET') => exchange(server, method, blob, { headers });
    const whole = await get({});
    expect(whole).toMatchObject({
      status: 200,
      headers: {
        etag,
        'accept-ranges': 'bytes',
        'content-length': '300000',
        'content-type': 'application/octet-stream',
      },
    });
    expect(whole.body).toEqual(bytes);

    const parts: readonly [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=0-299999', 0, 299_999],
      ['bytes=100-199', 100, 199],
      ['bytes=299999-', 299_999, 299_999],
      ['bytes=5-', 5, 299_999],
      ['bytes=0-999999999', 0, 299_999],
      ['bytes=-1', 299_999, 299_999],
      ['bytes=-300000', 0, 299_999],
      ['bytes=-400000', 0, 299_999],
      ['Bytes = 7 - 9', 7, 9],
    ];
    for (const [range, first, last] of parts) {
      const answer = await get({ range });
      expect(answer, range).toMatchObject({
        status: 206,
        headers: { 'content-range': `bytes ${first}-${last}/300000`, 'content-length': `${last - first + 1}`, etag },
      });
      expect(answer.body.equals(bytes.subarray(first, last + 1)), range).toBe(true);
    }
    for (const range of ['bytes=300000-', 'bytes=300000-300001', 'bytes=-0']) {
      expect(await get({ range }), range).toMatchObject({
        status: 416,
        headers: { 'content-range': 'bytes */300000' },
        ...codes('range_not_satisfiable'),
      });
    }
    for (const range of ['bytes=0-1,5-9', 'bytes=9-5', 'bytes=', 'bytes=-', 'bytes=a-b', 'lines=0-1', 'nonsense']) {
      const answer = await get({ range });
      expect(answer.status, range).toBe(200);
      expect(answer.body.equals(bytes), range).toBe(true);
    }

    for (const known of [etag, `W/${etag}`, '*', `"other", ${etag}`]) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await get({ 'if-none-match': known, range: 'bytes=0-1' }, method);
        expect(answer, `${method} ${known}`).toMatchObject({ status: 304, headers: { etag } });
        expect(answer.body).toHaveLength(0);
      }
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
    expect((await get({ 'if-match': '"other"' })).status).toBe(412);
    expect((await get({ 'if-match': `W/${etag}` })).status).toBe(412);
    expect((await get({ 'if-match': '"other"' }, 'HEAD')).status).toBe(412);
    for (const match of [etag, '*', `"other",${etag}`]) expect((await get({ 'if-match': match })).status).toBe(200);
    expect((await get({ 'if-range': etag, range: 'bytes=0-1' })).status).toBe(206);
    for (const other of ['"other"', `W/${etag}`, 'Mon, 23 Nov 2026 00:00:00 GMT']) {
      expect((await get({ 'if-range': other, range: 'bytes=0-1' })).status, other).toBe(200);
    }
    const head = await get({ range: 'bytes=0-1' }, 'HEAD');
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': '300000', etag } });
    expect(head.body).toHaveLength(0);
  });

  test('G2 of a blob without bytes no range can be given', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const empty = `/v1/repos/local/blobs/${digestOf('')}`;
    await exchange(server, 'PUT', empty, { body: Buffer.alloc(0) });
    for (const range of ['bytes=0-', 'bytes=-1', 'bytes=0-0']) {
      expect(await exchange(server, 'GET', empty, { headers: { range } }), range).toMatchObject({
        status: 416,
        headers: { 'content-range': 'bytes */0' },
      });
    }
    expect(await exchange(server, 'GET', empty)).toMatchObject({ status: 200, headers: { 'content-length': '0' } });
  });

  test('G3 knowing a digest gives nobody access in a repo the bytes were not put into', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    await server.token('elsewhere');
    await exchange(server, 'PUT', blob, { body: bytes });
    const there = `/v1/repos/elsewhere/blobs/${digest}`;
    for (const as of ['admin', 'elsewhere'] as const) {
      expect(await exchange(server, 'GET', there, { as })).toMatchObject({ status: 404, ...codes('blob_unknown') });
      expect(await exchange(server, 'HEAD', there, { as })).toMatchObject({ status: 404 });
    }
    expect(await exchange(server, 'GET', blob, { as: 'elsewhere' })).toMatchObject({
      status: 404,
      ...codes('repo_not_found'),
    });
    const upload = await startUpload(server);
    const same = upload.replace('local', 'elsewhere');
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      expect(await exchange(server, method, same), method).toMatchObject({ status: 404 });
    }
    expect(await patch(server, same, 0, bytes)).toMatchObject({ status: 404, ...codes('upload_not_found') });
    expect(await exchange(server, 'PUT', there, { body: bytes, as: 'elsewhere' })).toMatchObject({ status: 201 });
    expect((await exchange(server, 'GET', there, { as: 'elsewhere' })).body).toEqual(bytes);
    expect(filesOf(server)).toHaveLength(1);
  });

  test('G3 two uploads of the same bytes at once are stored once', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(server, 'PUT', blob, { body: bytes })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 200, 200, 200, 201]);
    expect(filesOf(server)).toHaveLength(1);
  });

  test('G8 files are downloaded by path: with slashes, with a scope, as what they are', async () => {
    await using server = await openTestServer({ ...(await open()), works: false, configuration: noGates });
    const { registry } = server.parts;
    const files = { 'bin/tool': '#!/bin/sh\n', 'docs/a b/ü%2F.txt': 'odd', top: 'x' };
    const draft = await arrangeDraft(registry, { name: '@scope/tool', files });
    const base = '/v1/repos/local/packages/generic/@scope%2Ftool/versions/1.0.0/files';
    expect(await exchange(server, 'GET', `${base}/bin/tool`)).toMatchObject({
      status: 404,
      ...codes('version_not_found'),
    });
    await publishVersion(registry, draft, 'ann');
    const ways = {
      [`${base}/bin/tool`]: '#!/bin/sh\n',
      [`${base}/bin%2Ftool`]: '#!/bin/sh\n',
      [`${base}/docs/a%20b/%C3%BC%252F.txt`]: 'odd',
      [`${base}/top`]: 'x',
    };
    for (const [path, text] of Object.entries(ways)) {
      const answer = await exchange(server, 'GET', path, { as: 'repo-read' });
      expect(answer, path).toMatchObject({ status: 200, headers: { etag: `"${digestOf(text)}"` } });
      expect(answer.body.toString(), path).toBe(text);
      const head = await exchange(server, 'HEAD', path);
      expect(head.headers['content-length'], path).toBe(`${text.length}`);
    }
    const range = await exchange(server, 'GET', `${base}/bin/tool`, { headers: { range: 'bytes=2-5' } });
    expect([range.status, range.body.toString()]).toEqual([206, '/bin']);
    for (const path of ['bin', 'bin/tool/', 'Top', '../top', 'nothing']) {
      expect((await exchange(server, 'GET', `${base}/${path}`)).status, path).toBe(404);
    }
    expect((await exchange(server, 'GET', `${base}/`)).status).toBe(400);
    expect(await exchange(server, 'POST', `${base}/bin/tool`)).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
    for (const other of ['npm/@scope%2Ftool/versions/1.0.0', 'generic/tool/versions/1.0.0']) {
      expect(await exchange(server, 'GET', `/v1/repos/local/packages/${other}/files/top`)).toMatchObject({
        status: 404,
      });
    }
  });

  test('G8 G16 G22 a tombstoned version is gone, a quarantined one held back, and why is said', async () => {
    await using server = await openTestServer({ ...(await open()), works: false, configuration: noGates });
    const { registry } = server.parts;
    const held = await arrangeDraft(registry, { name: 'held', files: { top: 'held' } });
    const gone = await arrangeDraft(registry, { name: 'gone', files: { top: 'gone' } });
    for (const draft of [held, gone]) await publishVersion(registry, draft, 'ann');
    await tombstoneVersion(registry, { ...gone, reason: 'wrong key' }, 'ann');
    const rule = {
      kind: 'name',
      parameters: { pattern: 'generic:held' },
      blocks: 'download',
      reason: 'looked at',
    } as const;
    await makeRule(registry, { repo: 'local', rule }, 'ann');
    const file = (name: string) => `/v1/repos/local/packages/generic/${name}/versions/1.0.0/files/top`;
    expect(await exchange(server, 'GET', file('gone'))).toMatchObject({ status: 410, ...codes('version_tombstoned') });
    expect(await exchange(server, 'HEAD', file('gone'))).toMatchObject({ status: 410 });
    expect(await exchange(server, 'GET', file('held'))).toMatchObject({
      status: 403,
      json: { code: 'version_quarantined', detail: expect.stringContaining('looked at') },
    });
  });

  test('G1 G20 nobody is asked for bytes that are refused, and the answer arrives all the same', async () => {
    await using server = await openTestServer({ ...(await open()), works: false });
    const large = Buffer.alloc(40_000_000);
    for (const [as, status] of [
      [null, 401],
      ['repo-read', 403],
      ['runner', 404],
    ] as const) {
      const refused = await exchange(server, 'PUT', blob, { as, body: large });
      expect(refused, `${as}`).toMatchObject({ status, headers: { connection: 'close' } });
      const expecting = await exchange(server, 'PUT', blob, { as, body: large, headers: { expect: '100-continue' } });
      expect(expecting, `${as}`).toMatchObject({ status, asked: false });
    }
    const allowed = await exchange(server, 'PUT', blob, { body: bytes, headers: { expect: '100-continue' } });
    expect(allowed).toMatchObject({ status: 201, asked: true });
    expect(filesOf(server)).toHaveLength(1);
  });
});

function filesOf({ world }: TestServer): readonly string[] {
  try {
    return readdirSync(`${world.data}/blobs`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.held'))
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

async function startUpload(server: TestServer, body: unknown = {}): Promise<string> {
  const answer = await server.ask('POST', uploads, { as: 'admin', body });
  expect(answer.status).toBe(201);
  const place = `${uploads}/${started.parse(answer.json).uploadId}`;
  expect(answer.headers.location).toBe(place);
  return place;
}

function patch(server: TestServer, place: string, offset: number, body: Uint8Array) {
  const headers = { 'upload-offset': `${offset}`, 'content-type': 'application/octet-stream' };
  return exchange(server, 'PATCH', place, { headers, body });
}

/** Sends a third of the bytes, and then dies. */
async function loseConnection(
  { server, token }: TestServer,
  method: string,
  path: string,
  headers: Record<string, string>,
  arrived: () => Promise<void>,
): Promise<void> {
  const sent = httpRequest({
    port: new URL(server.url ?? '').port,
    method,
    path,
    agent: false,
    headers: { authorization: `Bearer ${await token('admin')}`, 'content-length': bytes.length, ...headers },
  });
  sent.on('error', () => {});
  sent.write(bytes.subarray(0, 100_000));
  await arrived();
  sent.destroy();
}
