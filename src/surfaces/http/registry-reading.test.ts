import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import {
  packageListSchema,
  packageSchema,
  tombstonedSchema,
  versionListSchema,
  versionSchema,
} from '../../contract/api/packages.ts';
import { repoListSchema, repoSchema } from '../../contract/api/repos.ts';
import { changedTagSchema, tagListSchema, tagSchema } from '../../contract/api/tags.ts';
import { publishVersion } from '../../domain/registry/publish/publish-version.ts';
import { type ArrangedDraft, arrangeDraft } from '../../domain/registry/testing/arrange-draft.ts';
import { openTestServer, type TestServer } from './testing/open-test-server.ts';

afterAll(dropDatabases);

const packages = '/v1/repos/local/packages';

async function publish(
  server: TestServer,
  wanted: Parameters<typeof arrangeDraft>[1] = {},
): Promise<ArrangedDraft & { readonly digest: string }> {
  const draft = await arrangeDraft(server.parts.registry, wanted);
  const { digest } = await publishVersion(server.parts.registry, draft, 'test');
  return { ...draft, digest };
}

/** Every page of a list, each entry as it came. */
async function pages<T>(
  server: TestServer,
  path: string,
  read: (json: unknown) => { readonly rows: readonly T[]; readonly nextCursor: string | null },
  between: () => Promise<void> = async () => {},
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let cursor: string | null = null; ; ) {
    const at: string = cursor === null ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${cursor}`;
    const answer = await server.ask('GET', at, { as: 'admin' });
    expect(answer.status, answer.text).toBe(200);
    const { rows, nextCursor } = read(answer.json);
    all.push(...rows);
    if (nextCursor === null) return all;
    cursor = nextCursor;
    await between();
  }
}

describe.each(bothStores)('reading the registry over HTTP on %s', (_, where) => {
  const open = async () => await openTestServer(await where());

  test('G8 300 versions are listed by cursor, each once, while others are made', async () => {
    await using server = await open();
    const { registry } = server.parts;
    const first = await arrangeDraft(registry, { name: 'many', version: '0.0.0' });
    const { packageId } = first;
    const draft = (version: string) => arrangeDraft(registry, { name: 'many', version, packageId });
    for (let patch = 1; patch < 300; patch++) await draft(`0.0.${patch}`);
    await publishVersion(registry, first, 'test');
    const wanted = Array.from({ length: 300 }, (_, patch) => `0.0.${patch}`);
    let made = 0;
    const rows = await pages(
      server,
      `${packages}/generic/many/versions?limit=17`,
      (json) => {
        const { versions, nextCursor } = versionListSchema.parse(json);
        return { rows: versions, nextCursor };
      },
      async () => {
        for (let more = 0; more < 5; more++) await draft(`1.0.${made++}`);
      },
    );
    const seen = rows.map(({ version }) => version);
    expect(made).toBeGreaterThan(50);
    expect(seen).toEqual(wanted.toReversed());
    expect(rows.filter(({ state }) => state === 'published').map(({ version }) => version)).toEqual(['0.0.0']);
    const published = await server.ask('GET', `${packages}/generic/many/versions?state=published`, { as: 'admin' });
    expect(versionListSchema.parse(published.json).versions.map(({ version }) => version)).toEqual(['0.0.0']);
    const both = await server.ask('GET', `${packages}/generic/many/versions?state=published&state=tombstoned`, {
      as: 'admin',
    });
    expect(versionListSchema.parse(both.json).versions).toHaveLength(1);
  });

  test('G8 packages are listed by type and name, and narrowed by type and by the beginning of the name', async () => {
    await using server = await open();
    const names = ['abc', 'abd', 'ab_', 'ab%', 'b', 'a', 'ab', 'abcd', '@scope/tool', '@scope/other'];
    for (const name of names) await arrangeDraft(server.parts.registry, { name });
    const read = (json: unknown) => {
      const { packages: rows, nextCursor } = packageListSchema.parse(json);
      return { rows: rows.map(({ name }) => name), nextCursor };
    };
    expect(await pages(server, `${packages}?limit=3`, read)).toEqual(names.toSorted());
    expect(await pages(server, `${packages}?limit=2&prefix=ab`, read)).toEqual(
      names.filter((name) => name.startsWith('ab')).toSorted(),
    );
    expect(await pages(server, `${packages}?prefix=ab_`, read)).toEqual(['ab_']);
    expect(await pages(server, `${packages}?prefix=${encodeURIComponent('ab%')}`, read)).toEqual(['ab%']);
    expect(await pages(server, `${packages}?prefix=%40scope%2F`, read)).toEqual(['@scope/other', '@scope/tool']);
    expect(await pages(server, `${packages}?type=npm`, read)).toEqual([]);
    expect(await pages(server, `${packages}?type=generic&prefix=b`, read)).toEqual(['b']);
    const wrong = ['limit=0', 'limit=201', 'limit=x', 'cursor=', 'cursor=nothing', 'type=versions', 'unknown=1'];
    for (const query of wrong) {
      const answer = await server.ask('GET', `${packages}?${query}`, { as: 'admin' });
      expect([query, answer.status]).toEqual([query, 400]);
    }
    const ofVersions = Buffer.from('["versions",1,"x"]').toString('base64url');
    const other = await server.ask('GET', `${packages}?cursor=${ofVersions}`, { as: 'admin' });
    expect(other).toMatchObject({ status: 400, json: { code: 'invalid_argument' } });
  });

  test('G8 a version is resolved by its coordinate and by tag, also one with a scope; drafts are not', async () => {
    await using server = await open();
    const name = '@scope/tool';
    const one = await publish(server, { name, version: '1.0.0' });
    const { packageId } = one;
    const draft = await arrangeDraft(server.parts.registry, { name, version: '2.0.0', packageId });
    const at = `${packages}/generic/%40scope%2Ftool`;
    const shown = await server.ask('GET', `${at}/versions/1.0.0`, { as: 'admin' });
    expect(versionSchema.parse(shown.json)).toMatchObject({
      versionId: one.versionId,
      repo: 'local',
      type: 'generic',
      name,
      version: '1.0.0',
      state: 'published',
      digest: one.digest,
      run: null,
      gates: [],
      entries: { count: 1, size: 10 },
      manifest: { size: 2, mediaType: 'application/json' },
      attestation: null,
      tags: [],
      quarantine: [],
      createdBy: 'test',
      publishedBy: 'test',
      tombstonedAt: null,
    });
    expect((await server.ask('GET', `${packages}/versions/${one.versionId}`, { as: 'admin' })).json).toEqual(
      shown.json,
    );
    const stillDraft = await server.ask('GET', `${packages}/versions/${draft.versionId}`, { as: 'admin' });
    expect(versionSchema.parse(stillDraft.json)).toMatchObject({ state: 'draft', digest: null, gates: null });
    expect(await server.ask('GET', `${at}/versions/2.0.0`, { as: 'admin' })).toMatchObject({
      status: 404,
      json: { code: 'version_not_found', hint: expect.stringContaining(draft.versionId) },
    });
    const shownPackage = packageSchema.parse((await server.ask('GET', at, { as: 'admin' })).json);
    expect(shownPackage).toMatchObject({
      name,
      latest: '1.0.0',
      versions: { draft: 1, published: 1, tombstoned: 0 },
    });
    for (const [path, code] of [
      [`${at}/versions/9.9.9`, 'version_not_found'],
      [`${packages}/generic/none/versions/1.0.0`, 'package_not_found'],
      [`${packages}/npm/%40scope%2Ftool`, 'package_not_found'],
      [`${packages}/versions/ver_0123456789abcdef`, 'version_not_found'],
      [`${at}/tags/stable`, 'tag_not_found'],
      ['/v1/repos/none/packages', 'repo_not_found'],
      [`/v1/repos/none/packages/versions/${one.versionId}`, 'repo_not_found'],
    ]) {
      expect(await server.ask('GET', path ?? '', { as: 'admin' })).toMatchObject({ status: 404, json: { code } });
    }
    expect((await server.ask('GET', `${packages}/versions/1.0.0`, { as: 'admin' })).status).toBe(400);
  });

  test('G8 tags are set, moved, listed and removed; latest is what was published last unless it is set', async () => {
    await using server = await open();
    const one = await publish(server, { version: '1.0.0' });
    const { packageId } = one;
    await publish(server, { version: '2.0.0', packageId });
    const patch = await publish(server, { version: '1.0.1', packageId });
    const tags = `${packages}/generic/tool/tags`;
    const where_ = async (tag: string) =>
      tagSchema.parse((await server.ask('GET', `${tags}/${tag}`, { as: 'admin' })).json);
    expect(await where_('latest')).toMatchObject({ version: '1.0.1', versionId: patch.versionId, automatic: true });
    const set = async (tag: string, version: string) =>
      await server.ask('PUT', `${tags}/${tag}`, { as: 'admin', body: { version } });
    expect(changedTagSchema.parse((await set('latest', '2.0.0')).json)).toMatchObject({
      version: '2.0.0',
      changed: true,
    });
    expect(changedTagSchema.parse((await set('latest', '2.0.0')).json)).toMatchObject({ changed: false });
    expect(await where_('latest')).toMatchObject({ version: '2.0.0', automatic: false });
    await set('stable', '1.0.0');
    expect(changedTagSchema.parse((await set('stable', '1.0.1')).json)).toMatchObject({
      version: '1.0.1',
      changed: true,
    });
    const list = tagListSchema.parse((await server.ask('GET', tags, { as: 'admin' })).json);
    expect(list.tags.map(({ tag, version }) => [tag, version])).toEqual([
      ['latest', '2.0.0'],
      ['stable', '1.0.1'],
    ]);
    const gone = await server.ask('DELETE', `${tags}/latest`, { as: 'admin' });
    expect(tagSchema.parse(gone.json)).toMatchObject({ version: '2.0.0' });
    expect(await where_('latest')).toMatchObject({ version: '1.0.1', automatic: true });
    expect((await server.ask('DELETE', `${tags}/latest`, { as: 'admin' })).status).toBe(404);
    for (const [tag, version, status, code] of [
      ['stable', '9.9.9', 404, 'version_not_found'],
      ['v1.0', '1.0.0', 400, 'invalid_input'],
      ['1.0.0', '1.0.0', 400, 'invalid_input'],
      ['%2e%2e', '1.0.0', 400, 'invalid_input'],
    ] as const) {
      expect([tag, await set(tag, version)]).toMatchObject([tag, { status, json: { code } }]);
    }
  });

  test('G28 repos are made, listed, shown and deleted; one with versions is not, and says how many', async () => {
    await using server = await open();
    const made = await server.ask('POST', '/v1/repos', { as: 'admin', body: { key: 'team-1', description: 'Ours.' } });
    expect(made.status, made.text).toBe(201);
    expect(repoSchema.parse(made.json)).toMatchObject({ key: 'team-1', description: 'Ours.', packages: 0 });
    expect(await server.ask('POST', '/v1/repos', { as: 'admin', body: { key: 'team-1' } })).toMatchObject({
      status: 409,
      json: { code: 'repo_exists' },
    });
    for (const key of ['', '-', 'A', 'a.b', 'x'.repeat(65), 'a/b', null]) {
      expect((await server.ask('POST', '/v1/repos', { as: 'admin', body: { key } })).status).toBe(400);
    }
    const read = (json: unknown) => {
      const { repos, nextCursor } = repoListSchema.parse(json);
      return { rows: repos.map(({ key }) => key), nextCursor };
    };
    for (const key of ['a', 'b', 'c']) await server.ask('POST', '/v1/repos', { as: 'admin', body: { key } });
    expect(await pages(server, '/v1/repos?limit=2', read)).toEqual(['a', 'b', 'c', 'local', 'team-1']);
    expect(repoSchema.parse((await server.ask('DELETE', '/v1/repos/a', { as: 'admin' })).json).key).toBe('a');
    expect(await server.ask('DELETE', '/v1/repos/a', { as: 'admin' })).toMatchObject({ status: 404 });
    expect(await server.ask('DELETE', '/v1/repos/local', { as: 'admin' })).toMatchObject({
      status: 400,
      json: { code: 'invalid_argument' },
    });
    const shown = repoSchema.parse((await server.ask('GET', '/v1/repos/local', { as: 'admin' })).json);
    expect(shown).toMatchObject({ key: 'local', createdBy: 'waybill', versions: { draft: 0 } });
    expect(
      z.object({ code: z.string() }).parse((await server.ask('GET', '/v1/repos/x', { as: 'admin' })).json),
    ).toEqual(expect.objectContaining({ code: 'repo_not_found' }));
  });

  test('G16 a tombstoned version is shown as what it is, and its coordinate stays taken', async () => {
    await using server = await open();
    const one = await publish(server, { version: '1.0.0' });
    await server.ask('PUT', `${packages}/generic/tool/tags/stable`, { as: 'admin', body: { version: '1.0.0' } });
    const path = `${packages}/versions/${one.versionId}/tombstone`;
    expect((await server.ask('POST', path, { as: 'admin', body: {} })).status).toBe(400);
    const done = await server.ask('POST', path, { as: 'admin', body: { reason: 'wrong branch' } });
    expect(done.status, done.text).toBe(200);
    const { version, idempotent } = tombstonedSchema.parse(done.json);
    expect(idempotent).toBe(false);
    expect(version).toMatchObject({
      state: 'tombstoned',
      digest: one.digest,
      tombstoneReason: 'wrong branch',
      tags: [],
    });
    const again = tombstonedSchema.parse((await server.ask('POST', path, { as: 'admin', body: { reason: 'x' } })).json);
    expect(again).toEqual({ idempotent: true, version });
    const shown = await server.ask('GET', `${packages}/generic/tool/versions/1.0.0`, { as: 'admin' });
    expect(shown.json).toEqual(version);
    expect((await server.ask('GET', `${packages}/generic/tool/tags/stable`, { as: 'admin' })).status).toBe(404);
    expect((await server.ask('GET', `${packages}/generic/tool/tags/latest`, { as: 'admin' })).status).toBe(404);
    const draft = await arrangeDraft(server.parts.registry, { version: '2.0.0', packageId: one.packageId });
    expect(
      await server.ask('POST', `${packages}/versions/${draft.versionId}/tombstone`, {
        as: 'admin',
        body: { reason: 'x' },
      }),
    ).toMatchObject({ status: 409, json: { code: 'invalid_transition' } });
  });
});
