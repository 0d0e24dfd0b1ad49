import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { Registry } from '../registry.ts';
import { deleteRepo } from '../repos/delete-repo.ts';
import { openTestRegistry, type TestRegistry } from '../testing/open-test-registry.ts';
import { findBlob, openBlob } from './find-blob.ts';
import { putBlob } from './put-blob.ts';
import { sweepUploads } from './sweep-uploads.ts';
import { appendToUpload, describeUpload, discardUpload, finishUpload, startUpload } from './uploads.ts';

afterAll(dropDatabases);

const repo = 'local';
const bytes = randomBytes(200_000);
const digest = digestOf(bytes);

describe.each(bothStores)('blobs of a repo on %s', (_engine, open) => {
  test('G3 bytes are stored once, and read only in the repos they were put into', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    await makeRepo(registry, 'other');
    expect(await putBlob(registry, { repo, digest, source: pieces(bytes) }, 'ann')).toEqual({
      digest,
      size: bytes.length,
      added: true,
    });
    await expect(findBlob(registry, 'other', digest)).rejects.toMatchObject({ code: 'blob_unknown' });
    expect(await putBlob(registry, { repo, digest, source: pieces(bytes) }, 'bob')).toMatchObject({ added: false });
    expect(await putBlob(registry, { repo: 'other', digest, source: pieces(bytes) }, 'bob')).toMatchObject({
      added: true,
    });
    expect(filesOf(opened)).toHaveLength(1);
    await using blob = await openBlob(registry, await findBlob(registry, 'other', digest));
    expect(await buffer(blob.stream())).toEqual(bytes);
    expect(await recordsOf(registry)).toEqual([
      ['ann', 'blob.uploaded', digest, 'succeeded', null],
      ['bob', 'blob.uploaded', digest, 'succeeded', null],
    ]);
  });

  test('G1 G28 a repo that is deleted while the bytes come is not found when they are there', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    await makeRepo(registry, 'other');
    async function* source() {
      yield* pieces(bytes);
      await deleteRepo(registry, { key: 'other' }, 'bob');
    }
    await expect(putBlob(registry, { repo: 'other', digest, source: source() }, 'ann')).rejects.toMatchObject({
      code: 'repo_not_found',
    });
  });

  test('G3 G19 the same upload twenty times at once is one blob and one record', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => putBlob(registry, { repo, digest, source: pieces(bytes) }, 'ann')),
    );
    expect(answers.filter(({ added }) => added)).toHaveLength(1);
    expect(filesOf(opened)).toHaveLength(1);
    expect(await recordsOf(registry)).toHaveLength(1);
  });

  test('G1 G4 G19 a mismatch leaves nothing but its record; a lost connection not even that', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { maxBlobBytes: 200_000 } });
    const { registry } = opened;
    const other = digestOf('other');
    await expect(putBlob(registry, { repo, digest: other, source: pieces(bytes) }, 'ann')).rejects.toMatchObject({
      code: 'digest_mismatch',
      details: { expected: other, actual: digest },
    });
    await expect(putBlob(registry, { repo, digest, size: 5, source: pieces(bytes) }, 'ann')).rejects.toMatchObject({
      code: 'size_mismatch',
    });
    const more = Buffer.concat([bytes, bytes]);
    await expect(
      putBlob(registry, { repo, digest: digestOf(more), source: pieces(more) }, 'ann'),
    ).rejects.toMatchObject({ code: 'body_too_large' });
    const lost = new Error('lost');
    await expect(putBlob(registry, { repo, digest, source: failing(lost) }, 'ann')).rejects.toBe(lost);
    await expect(putBlob(registry, { repo: 'none', digest, source: pieces(bytes) }, 'ann')).rejects.toMatchObject({
      code: 'repo_not_found',
    });
    expect(filesOf(opened)).toEqual([]);
    expect(await registry.store.read(({ db }) => db.selectFrom('repo_blob').selectAll().execute())).toEqual([]);
    expect(await recordsOf(registry)).toEqual([
      ['ann', 'blob.uploaded', other, 'refused', 'digest_mismatch'],
      ['ann', 'blob.uploaded', digest, 'refused', 'size_mismatch'],
    ]);
  });

  test('G1 an upload in parts goes on in another process, and ends as a blob', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { uploadId, offset } = await startUpload(registry, { repo, size: bytes.length }, 'ann');
    expect(offset).toBe(0);
    const place = { repo, uploadId };
    const first = { ...place, offset: 0, source: pieces(bytes.subarray(0, 90_000)) };
    expect(await appendToUpload(registry, first)).toBe(90_000);
    opened.process.die();
    const { store, clock, host } = (await opened.world.start()).engine;
    const again: Registry = { ...registry, store, clock, host };
    expect(await describeUpload(again, place)).toMatchObject({ offset: 90_000, size: bytes.length, digest: null });
    await expect(finishUpload(again, { ...place, digest }, 'ann')).rejects.toMatchObject({
      code: 'size_mismatch',
      details: { expected: bytes.length, actual: 90_000 },
    });
    await appendToUpload(again, { ...place, offset: 90_000, source: pieces(bytes.subarray(90_000)) });
    await expect(finishUpload(again, place, 'ann')).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await finishUpload(again, { ...place, digest }, 'ann')).toEqual({
      digest,
      size: bytes.length,
      added: true,
    });
    await expect(describeUpload(again, place)).rejects.toMatchObject({ code: 'upload_not_found' });
    expect(await findBlob(again, repo, digest)).toEqual({ digest, size: bytes.length });
    expect((await recordsOf(again)).map(([, action, , outcome]) => [action, outcome])).toEqual([
      ['upload.started', 'succeeded'],
      ['blob.uploaded', 'refused'],
      ['blob.uploaded', 'succeeded'],
    ]);
  });

  test('G1 G4 an upload whose bytes are wrong leaves nothing; one that is discarded neither', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    await makeRepo(registry, 'other');
    const wrong = await startUpload(registry, { repo, digest: digestOf('other') }, 'ann');
    await appendToUpload(registry, { ...wrong, offset: 0, source: pieces(bytes) });
    await expect(finishUpload(registry, { repo, uploadId: wrong.uploadId, digest }, 'ann')).rejects.toMatchObject({
      code: 'invalid_input',
    });
    await expect(finishUpload(registry, { repo, uploadId: wrong.uploadId }, 'ann')).rejects.toMatchObject({
      code: 'digest_mismatch',
    });
    const place = { repo, uploadId: (await startUpload(registry, { repo, size: 100_000 }, 'ann')).uploadId };
    await expect(appendToUpload(registry, { ...place, offset: 0, source: pieces(bytes) })).rejects.toMatchObject({
      code: 'size_mismatch',
    });
    expect((await describeUpload(registry, place)).offset).toBe(0);
    await expect(discardUpload(registry, { ...place, repo: 'other' }, 'ann')).rejects.toMatchObject({
      code: 'upload_not_found',
    });
    await discardUpload(registry, place, 'ann');
    await expect(discardUpload(registry, place, 'ann')).rejects.toMatchObject({ code: 'upload_not_found' });
    expect(filesOf(opened)).toEqual([]);
    expect(await registry.store.read(({ db }) => db.selectFrom('upload').selectAll().execute())).toEqual([]);
  });

  test('G3 whoever knows a digest gets nothing by finishing an upload without its bytes', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    await makeRepo(registry, 'other');
    await putBlob(registry, { repo, digest, source: pieces(bytes) }, 'ann');
    const { uploadId } = await startUpload(registry, { repo: 'other', digest }, 'eve');
    await expect(finishUpload(registry, { repo: 'other', uploadId }, 'eve')).rejects.toMatchObject({
      code: 'digest_mismatch',
    });
    await expect(findBlob(registry, 'other', digest)).rejects.toMatchObject({ code: 'blob_unknown' });
  });

  test('G4 what nothing comes for is swept, and so are bytes of no upload', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { uploadHours: 2 } });
    const { registry } = opened;
    const kept = await startUpload(registry, { repo }, 'ann');
    const fed = await startUpload(registry, { repo }, 'ann');
    await appendToUpload(registry, { repo, uploadId: fed.uploadId, offset: 0, source: pieces(bytes) });
    await registry.blobs.staged.append('left-by-a-crash', 0, pieces(bytes));
    expect(await sweepUploads(registry)).toEqual({ expired: 0, orphans: 1 });
    expect(await describeUpload(registry, { repo, uploadId: kept.uploadId })).toMatchObject({ offset: 0 });
    const later = { ...registry, clock: { now: () => registry.clock.now() + 3 * 3_600_000_000 } };
    expect(await sweepUploads(later)).toEqual({ expired: 2, orphans: 0 });
    expect(filesOf(opened)).toEqual([]);
    expect((await recordsOf(registry)).filter(([, action]) => action === 'upload.discarded')).toEqual([
      ['waybill', 'upload.discarded', expect.anything(), 'succeeded', 'expired'],
      ['waybill', 'upload.discarded', expect.anything(), 'succeeded', 'expired'],
    ]);
  });

  test('G4 an upload that is fed does not expire, however old it is', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { uploadHours: 2 } });
    const { registry } = opened;
    const old = { ...registry, clock: { now: () => registry.clock.now() - 5 * 3_600_000_000 } };
    const { uploadId } = await startUpload(old, { repo }, 'ann');
    await appendToUpload(registry, { repo, uploadId, offset: 0, source: pieces(bytes) });
    expect(await sweepUploads(registry)).toEqual({ expired: 0, orphans: 0 });
    expect((await describeUpload(registry, { repo, uploadId })).expiresAt).toBeGreaterThan(registry.clock.now());
  });

  test('G4 the tables keep an upload as it was made, and let it go with its repo', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    await makeRepo(registry, 'other');
    const { uploadId } = await startUpload(registry, { repo: 'other' }, 'ann');
    const { store } = registry;
    await expect(
      store.write(({ db }) => db.updateTable('upload').set({ repo }).where('id', '=', uploadId).execute()),
    ).rejects.toMatchObject({ code: 'store_immutable' });
    await expect(
      store.write(({ db }) =>
        db.insertInto('upload').values({ id: uploadId, repo, made_at: 0, made_by: 'eve' }).execute(),
      ),
    ).rejects.toMatchObject({ code: 'store_immutable' });
    await store.write(({ db }) => db.deleteFrom('repo').where('key', '=', 'other').execute());
    expect(await store.read(({ db }) => db.selectFrom('upload').selectAll().execute())).toEqual([]);
  });
});

async function makeRepo({ store }: Registry, key: string): Promise<void> {
  await store.write(async ({ db }) => {
    await db.insertInto('repo').values({ key, description: '', created_at: 0, created_by: 'test' }).execute();
  });
}

/** Every file of the blob store, whatever it is. */
function filesOf({ world }: TestRegistry): readonly string[] {
  return readdirSync(`${world.data}/blobs`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

async function recordsOf({ store }: Registry) {
  const rows = await store.read(({ db }) =>
    db
      .selectFrom('audit')
      .select(['actor', 'action', 'resource', 'outcome', 'reason'])
      .where('action', 'in', ['blob.uploaded', 'upload.started', 'upload.discarded'])
      .orderBy('id')
      .execute(),
  );
  return rows.map(({ actor, action, resource, outcome, reason }) => [actor, action, resource, outcome, reason]);
}

async function* pieces(content: Buffer): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
}

async function* failing(error: Error): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
  throw error;
}
