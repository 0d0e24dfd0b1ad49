import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { createDraft } from '../drafts/create-draft.ts';
import { addEntries } from '../entries/add-entries.ts';
import type { Registry } from '../registry.ts';
import { giveBlob } from '../testing/give-blob.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { getManifest } from './get-manifest.ts';
import { manifestProblemsOf } from './manifest-problems-of.ts';
import { mostManifestBytes } from './most-manifest-bytes.ts';
import { putManifest } from './put-manifest.ts';

afterAll(dropDatabases);

const repo = 'local';
const tool = { type: 'npm', name: '@scope/tool', version: '1.0.0' };

async function manifestChanges({ store }: Registry) {
  const rows = await store.read(({ db }) =>
    db
      .selectFrom('audit')
      .select(['outcome', 'reason', 'details'])
      .where('action', '=', 'package.version.manifest.changed')
      .orderBy('id')
      .execute(),
  );
  return rows.map(({ outcome, reason, details }) => [outcome, reason ?? JSON.parse(details ?? '{}').digest]);
}

describe.each(bothStores)('manifests on %s', (_engine, open) => {
  test('G7 G19 the bytes are kept as they came, replaced while draft, and the same again changes nothing', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { versionId } = await createDraft(registry, { repo, ...tool }, 'me');
    await expect(getManifest(registry, { repo, versionId })).rejects.toMatchObject({ code: 'manifest_not_found' });
    const put = (text: string, mediaType: string | null = null) =>
      putManifest(registry, { repo, versionId, mediaType, body: Buffer.from(text) }, 'me');
    const odd = '\t{ "version" : "1.0.0",\r\n"name":"\\u0040scope/tool" , "n": 1.10e1 }\n\n';
    const first = { digest: digestOf(odd), size: odd.length, mediaType: 'application/json', pending: [] };
    expect(await put(odd)).toEqual({ ...first, changed: true });
    expect(await put(odd)).toEqual({ ...first, changed: false });
    const kept = await getManifest(registry, { repo, versionId });
    expect(Buffer.from(kept.body).toString()).toBe(odd);
    expect([kept.digest, kept.mediaType]).toEqual([digestOf(odd), 'application/json']);
    const other = '{"name":"@scope/tool","version":"1.0.0"}';
    expect(await put(other, 'application/vnd.npm.package+json')).toMatchObject({ changed: true });
    expect(await getManifest(registry, { repo, versionId })).toMatchObject({ digest: digestOf(other) });
    expect(await manifestChanges(registry)).toEqual([
      ['succeeded', digestOf(odd)],
      ['succeeded', digestOf(other)],
    ]);
  });

  test('G7 what is wrong is listed and nothing is kept; what entries would mend is pending', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { versionId } = await createDraft(registry, { repo, ...tool }, 'me');
    const put = (manifest: unknown, mediaType: string | null = null) =>
      putManifest(registry, { repo, versionId, mediaType, body: Buffer.from(JSON.stringify(manifest)) }, 'me');
    await expect(put({ name: 'x', version: 1, main: 'a.js' })).rejects.toMatchObject({
      code: 'manifest_invalid',
      details: {
        problems: [{ path: 'manifest#/version', pointer: '/version', message: 'expected string, received number' }],
      },
    });
    await expect(put({}, 'text/html')).rejects.toMatchObject({ code: 'unsupported_media_type' });
    const body = Buffer.alloc(mostManifestBytes + 1);
    const tooLarge = putManifest(registry, { repo, versionId, mediaType: null, body }, 'me');
    await expect(tooLarge).rejects.toMatchObject({ code: 'body_too_large' });
    await expect(getManifest(registry, { repo, versionId })).rejects.toMatchObject({ code: 'manifest_not_found' });

    const manifest = { ...tool, type: 'module', main: 'a.js', bin: 'b.js' };
    const missing = (file: string) => ({ message: `names "${file}", which is no entry`, pending: true });
    expect((await put(manifest)).pending).toEqual([
      { pointer: '/main', ...missing('a.js') },
      { pointer: '/bin', ...missing('b.js') },
    ]);
    const blob = await giveBlob(registry, 'code');
    await addEntries(registry, { repo, versionId, entries: [{ path: 'a.js', ...blob }] }, 'me');
    expect(await put(manifest)).toMatchObject({ changed: false, pending: [{ pointer: '/bin' }] });
    await addEntries(registry, { repo, versionId, entries: [{ path: 'b.js', ...blob }] }, 'me');
    expect((await put(manifest)).pending).toEqual([]);
    expect(await manifestChanges(registry)).toEqual([
      ['refused', 'manifest_invalid'],
      ['succeeded', digestOf(JSON.stringify(manifest))],
    ]);
  });

  test('G7 twenty manifests at once leave one of them, whole', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { versionId } = await createDraft(registry, { repo, ...tool, type: 'generic', name: 'tool' }, 'me');
    const bodies = Array.from({ length: 20 }, (_, index) => Buffer.from(`{"n":${index}}`));
    const answers = await Promise.all(
      bodies.map((body) => putManifest(registry, { repo, versionId, mediaType: null, body }, 'me')),
    );
    const { body, digest } = await getManifest(registry, { repo, versionId });
    expect(digestOf(body)).toBe(digest);
    expect(answers.map((answer) => answer.digest)).toContain(digest);
    expect(answers.every(({ changed }) => changed)).toBe(true);
  });

  test('G7 a publish asks with all entries, of types nobody knows too', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const manifest = { mediaType: 'application/json', body: Buffer.from('{}') };
    const of = (type: string) => manifestProblemsOf(registry, manifest, { coordinate: { ...tool, type }, entries: [] });
    expect(of('generic')).toEqual([]);
    expect(of('cargo')).toEqual([{ pointer: '', message: 'is of the type "cargo", which nothing here knows' }]);
    expect(of('oci-image')).toEqual([
      {
        pointer: '',
        message:
          'must be application/vnd.oci.image.manifest.v1+json or application/vnd.oci.image.index.v1+json, not application/json',
      },
    ]);
  });
});
