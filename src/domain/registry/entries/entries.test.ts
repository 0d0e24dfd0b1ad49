import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import type { VersionId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { createDraft } from '../drafts/create-draft.ts';
import { deleteDraft } from '../drafts/remove-draft.ts';
import { putManifest } from '../manifests/put-manifest.ts';
import type { Registry } from '../registry.ts';
import { giveBlob } from '../testing/give-blob.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { addEntries } from './add-entries.ts';
import { listEntries } from './list-entries.ts';
import type { NewEntry } from './new-entry.ts';
import { removeEntry } from './remove-entry.ts';

afterAll(dropDatabases);

const repo = 'local';

async function draft(registry: Registry): Promise<VersionId> {
  const wanted = { repo, type: 'generic', name: 'tool', version: '1.0.0' };
  return (await createDraft(registry, wanted, 'me')).versionId;
}

async function entriesOf(registry: Registry, versionId: string) {
  const { entries } = await listEntries(registry, { repo, versionId, limit: 1000 });
  return Object.fromEntries(entries.map(({ path, digest }) => [path, digest]));
}

async function changes({ store }: Registry): Promise<readonly unknown[]> {
  const rows = await store.read(({ db }) =>
    db
      .selectFrom('audit')
      .select(['outcome', 'reason', 'details'])
      .where('action', '=', 'package.version.entries.changed')
      .orderBy('id')
      .execute(),
  );
  return rows.map(({ outcome, reason, details }) => {
    const { added, replaced, removed, count } = JSON.parse(details ?? '{}');
    return outcome === 'succeeded' ? { added, replaced, removed, count } : reason;
  });
}

async function problemsOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof Error && 'details' in error ? error.details : error;
}

describe.each(bothStores)('entries on %s', (_engine, open) => {
  test('G6 G19 the same again changes nothing, another digest replaces, and one can be removed', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await draft(registry);
    const [one, two] = [await giveBlob(registry, 'one'), await giveBlob(registry, 'two')];
    const give = (entries: readonly NewEntry[]) => addEntries(registry, { repo, versionId, entries }, 'me');
    const both = [
      { path: 'bin/one', ...one, mediaType: 'text/plain' },
      { path: 'two', ...two },
    ];
    expect(await give(both)).toEqual({ added: 2, replaced: 0, unchanged: 0, count: 2 });
    expect(await give(both)).toEqual({ added: 0, replaced: 0, unchanged: 2, count: 2 });
    // A media type that is not given says nothing of the one that is there.
    expect(await give([{ path: 'bin/one', ...one }])).toMatchObject({ unchanged: 1 });
    expect(await give([{ path: 'bin/one', ...two }])).toEqual({ added: 0, replaced: 1, unchanged: 0, count: 2 });
    expect(await give([{ path: 'two', ...two, mediaType: 'text/html' }])).toMatchObject({ replaced: 1 });
    expect((await listEntries(registry, { repo, versionId, limit: 10 })).entries).toEqual([
      { path: 'bin/one', ...two, mediaType: 'text/plain' },
      { path: 'two', ...two, mediaType: 'text/html' },
    ]);
    expect(await removeEntry(registry, { repo, versionId, path: 'bin/one' }, 'me')).toEqual({ count: 1 });
    expect(await problemsOf(removeEntry(registry, { repo, versionId, path: 'BIN/one' }, 'me'))).toEqual({ versionId });
    expect(await entriesOf(registry, versionId)).toEqual({ two: two.digest });
    expect(await changes(registry)).toEqual([
      { added: 2, replaced: 0, removed: 0, count: 2 },
      { added: 0, replaced: 1, removed: 0, count: 2 },
      { added: 0, replaced: 1, removed: 0, count: 2 },
      { added: 0, replaced: 0, removed: 1, count: 1 },
      'entry_not_found',
    ]);
  });

  test('G6 every missing digest is named, whatever another repo holds, and nothing is changed', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await draft(registry);
    await registry.store.write(async ({ db }) => {
      await db
        .insertInto('repo')
        .values({ key: 'other', description: '', created_at: 0, created_by: 'test' })
        .execute();
    });
    const here = await giveBlob(registry, 'here');
    const elsewhere = await giveBlob(registry, 'elsewhere', 'other');
    const nowhere = { digest: digestOf('nowhere'), size: 7 };
    const entries = [
      { path: 'a', ...here },
      { path: 'b', ...elsewhere },
      { path: 'c', ...nowhere },
      { path: 'd', ...nowhere },
      { path: 'e', ...here, size: 3 },
    ];
    expect(await problemsOf(addEntries(registry, { repo, versionId, entries }, 'me'))).toEqual({
      repo,
      missing: [elsewhere.digest, nowhere.digest],
      problems: [
        { path: 'entries[1].digest', message: `${elsewhere.digest} is not in the repo local` },
        { path: 'entries[2].digest', message: `${nowhere.digest} is not in the repo local` },
        { path: 'entries[3].digest', message: `${nowhere.digest} is not in the repo local` },
        { path: 'entries[4].size', message: 'is 3, and the blob has 4 bytes' },
      ],
    });
    const sizes = { code: 'size_mismatch', details: { problems: [{ path: 'entries[0].size' }] } };
    const wrong = [{ path: 'e', ...here, size: 3 }];
    await expect(addEntries(registry, { repo, versionId, entries: wrong }, 'me')).rejects.toMatchObject(sizes);
    expect(await entriesOf(registry, versionId)).toEqual({});
    expect(await changes(registry)).toEqual(['blob_not_found', 'size_mismatch']);
  });

  test('G6 further checksums are those of the bytes', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await draft(registry);
    const blob = await giveBlob(registry, 'bytes');
    const sum = (algorithm: string) => createHash(algorithm).update('bytes').digest('hex');
    const good = { sha256: sum('sha256'), sha512: sum('sha512'), sha1: sum('sha1') };
    const give = (checksums: typeof good) =>
      addEntries(registry, { repo, versionId, entries: [{ path: 'a', ...blob, checksums }] }, 'me');
    const bad = { sha256: '0'.repeat(64), sha512: '0'.repeat(128), sha1: '0'.repeat(40) };
    await expect(give(bad)).rejects.toMatchObject({ code: 'digest_mismatch' });
    expect(await problemsOf(give(bad))).toEqual({
      problems: (['sha256', 'sha512', 'sha1'] as const).map((each) => ({
        path: `entries[0].checksums.${each}`,
        message: `is not that of the blob, ${good[each]}`,
      })),
    });
    expect(await give(good)).toMatchObject({ added: 1 });
  });

  test('G6 the same path twice, twins and files that are folders are refused by every place', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await draft(registry);
    const blob = await giveBlob(registry, 'bytes');
    const give = (...paths: string[]) =>
      addEntries(registry, { repo, versionId, entries: paths.map((path) => ({ path, ...blob })) }, 'me');
    expect(await problemsOf(give('a', 'b', 'c', 'a'))).toEqual({
      problems: [
        { path: 'entries[0].path', message: 'is named twice: also by entries[3].path' },
        { path: 'entries[3].path', message: 'is named twice: also by entries[0].path' },
      ],
    });
    expect(await problemsOf(give('Straße', 'x', 'STRASSE', 'x/y'))).toEqual({
      problems: [
        { path: 'entries[0].path', message: 'differs only in case from entries[2].path' },
        { path: 'entries[2].path', message: 'differs only in case from entries[0].path' },
        { path: 'entries[3].path', message: 'lies in a folder that is a file: entries[1].path' },
      ],
    });
    await give('lib/a', 'Readme', 'bin');
    // Few and many: they find what the draft has in two ways.
    for (const others of [0, 60]) {
      const more = Array.from({ length: others }, (_, index) => `more/${index}`);
      expect(await problemsOf(give('LIB', 'readme', 'Bin/x', ...more))).toEqual({
        problems: expect.arrayContaining([
          { path: 'entries[0].path', message: 'is a folder of the file lib/a' },
          { path: 'entries[1].path', message: 'differs only in case from Readme' },
          { path: 'entries[2].path', message: 'lies in a folder that is a file: bin' },
        ]),
      });
    }
    expect(Object.keys(await entriesOf(registry, versionId))).toEqual(['Readme', 'bin', 'lib/a']);
    expect(await give('lib/b', 'lib-b', 'Readme.md', 'bin2/x')).toMatchObject({ added: 4, count: 7 });
  });

  test('G6 twenty at once: each is whole, none is lost, and of twins one', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await draft(registry);
    const blob = await giveBlob(registry, 'bytes');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, who) => {
        const entries = Array.from({ length: 30 }, (__, index) => ({ path: `${who}/${index}`, ...blob }));
        return addEntries(registry, { repo, versionId, entries }, 'me');
      }),
    );
    expect(answers.map(({ added }) => added)).toEqual(answers.map(() => 30));
    expect(Math.max(...answers.map(({ count }) => count))).toBe(600);
    expect(Object.keys(await entriesOf(registry, versionId))).toHaveLength(600);
    const twins = await Promise.allSettled(
      ['twin', 'Twin', 'TWIN', 'twin/a'].map((path) =>
        addEntries(registry, { repo, versionId, entries: [{ path, ...blob }] }, 'me'),
      ),
    );
    expect(twins.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('G6 entries racing the deletion of their draft: either all are gone, or the draft was', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const blob = await giveBlob(registry, 'bytes');
    for (let round = 0; round < 10; round++) {
      const versionId = await draft(registry);
      const body = Buffer.from(`{"round":${round}}`);
      const results = await Promise.allSettled([
        addEntries(registry, { repo, versionId, entries: [{ path: 'a', ...blob }] }, 'me'),
        deleteDraft(registry, { repo, versionId }, 'me'),
        putManifest(registry, { repo, versionId, mediaType: null, body }, 'me'),
        addEntries(registry, { repo, versionId, entries: [{ path: 'b', ...blob }] }, 'me'),
      ]);
      const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(codes.filter((code) => code !== 'version_not_found')).toEqual([]);
    }
    for (const table of ['version', 'version_entry', 'version_manifest'] as const) {
      expect(await registry.store.read(({ db }) => db.selectFrom(table).selectAll().execute())).toEqual([]);
    }
  });

  test('G6 a version of 10,000 entries is the largest, and is listed page by page', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await draft(registry);
    const blob = await giveBlob(registry, 'bytes');
    const entries = Array.from({ length: 10_000 }, (_, index) => ({ path: `ä/${index}`, ...blob }));
    expect(await addEntries(registry, { repo, versionId, entries }, 'me')).toMatchObject({ added: 10_000 });
    const one = [{ path: 'one more', ...blob }];
    await expect(addEntries(registry, { repo, versionId, entries: one }, 'me')).rejects.toMatchObject({
      code: 'invalid_input',
      details: { problems: [{ path: 'entries' }] },
    });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listEntries>> = await listEntries(registry, {
        repo,
        versionId,
        limit: 999,
        cursor,
      });
      seen.push(...page.entries.map(({ path }) => path));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(entries.map(({ path }) => path).sort());
    const broken = { repo, versionId, limit: 10, cursor: '!' };
    await expect(listEntries(registry, broken)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('G6 G15 what is published takes no entries and loses none, and the refusal is on record', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const blob = await giveBlob(registry, 'bytes');
    const versionId = await draft(registry);
    await addEntries(registry, { repo, versionId, entries: [{ path: 'a', ...blob }] }, 'me');
    await putManifest(registry, { repo, versionId, mediaType: null, body: Buffer.from('{}') }, 'me');
    await registry.store.write(async ({ db }) => {
      const published = { state: 'published' as const, digest: digestOf('x'), published_at: 1, published_by: 'test' };
      await db
        .updateTable('version')
        .set({ ...published, gates: '[]', event_seq: 1 })
        .execute();
    });
    const immutable = { code: 'version_immutable' };
    const more = { repo, versionId, entries: [{ path: 'b', ...blob }] };
    await expect(addEntries(registry, more, 'me')).rejects.toMatchObject(immutable);
    await expect(removeEntry(registry, { repo, versionId, path: 'a' }, 'me')).rejects.toMatchObject(immutable);
    const body = Buffer.from('{"a":1}');
    await expect(putManifest(registry, { repo, versionId, mediaType: null, body }, 'me')).rejects.toMatchObject(
      immutable,
    );
    expect(await entriesOf(registry, versionId)).toEqual({ a: blob.digest });
    expect((await changes(registry)).slice(-2)).toEqual(['version_immutable', 'version_immutable']);
    const elsewhere = { repo: 'other', versionId, entries: [] };
    await expect(addEntries(registry, elsewhere, 'me')).rejects.toMatchObject({ code: 'version_not_found' });
  });
});
