import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { findFile } from '../blobs/find-file.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { setTag } from '../tags/set-tag.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { tombstoneVersion } from './tombstone-version.ts';

afterAll(dropDatabases);

describe.each(bothStores)('tombstoning on %s', (_engine, open) => {
  test('G16 a version goes for ever: coordinate and digest stay, tags and downloads go, one event and one record tell it', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const draft = await arrangeDraft(registry);
    const { versionId, packageId } = draft;
    const { digest } = await publishVersion(registry, draft, 'publisher');
    for (const tag of ['stable', 'other']) {
      await setTag(registry, { repo: 'local', type: 'generic', name: 'tool', version: '1.0.0', tag }, 'publisher');
    }
    const other = { ...registry, store: (await world.start()).engine.store };
    const request = { repo: 'local', versionId, reason: 'token=ghp_0123456789abcdefghijklmnopqrstuvwxyz leaked\0' };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        tombstoneVersion(index % 2 === 0 ? registry : other, request, `admin-${index}`),
      ),
    );
    const [first, ...more] = answers.filter(({ idempotent }) => !idempotent);
    expect(more).toEqual([]);
    expect(answers.map(({ version }) => version)).toEqual(answers.map(() => first?.version));
    expect(first?.version).toMatchObject({ state: 'tombstoned', digest, tags: [] });
    expect(first?.version.tombstoned?.reason).toMatch(/leaked\\u0000$/);
    expect(first?.version.tombstoned?.reason).not.toContain('ghp_');

    const rows = await registry.store.read(async ({ db }) => ({
      tags: await db.selectFrom('tag').selectAll().execute(),
      outbox: await db.selectFrom('outbox').selectAll().orderBy('aggregate_seq').execute(),
      audit: await db.selectFrom('audit').select(['action', 'outcome', 'resource']).orderBy('id').execute(),
      events: await db.selectFrom('package').select('events').execute(),
    }));
    expect(rows.tags).toEqual([]);
    expect(rows.events).toEqual([{ events: 2 }]);
    expect(rows.outbox.map(({ aggregate, aggregate_seq, type }) => [aggregate, aggregate_seq, type])).toEqual([
      [`package:${packageId}`, 1, 'dev.waybill.version.published'],
      [`package:${packageId}`, 2, 'dev.waybill.version.tombstoned'],
    ]);
    expect(JSON.parse(rows.outbox[1]?.payload ?? '')).toMatchObject({
      schema: 'waybill.version.tombstoned.v1',
      repo: 'local',
      type: 'generic',
      name: 'tool',
      version: '1.0.0',
      versionId,
      digest,
      actor: first?.version.tombstoned?.by,
    });
    expect(rows.audit.filter(({ action }) => action === 'package.version.tombstoned')).toEqual([
      { action: 'package.version.tombstoned', outcome: 'succeeded', resource: versionId },
    ]);
    const file = { repo: 'local', coordinate: { type: 'generic', name: 'tool', version: '1.0.0' }, path: 'bin/tool' };
    await expect(findFile(registry, file)).rejects.toMatchObject({ code: 'version_tombstoned' });
    await expect(arrangeDraft(registry, { packageId })).rejects.toMatchObject({ code: 'version_immutable' });
    await expect(publishVersion(registry, draft, 'publisher')).rejects.toMatchObject({ code: 'version_tombstoned' });
  });

  test('G16 a draft is refused, with a record and no event; another repo and what is not there are not found', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { versionId } = await arrangeDraft(registry);
    const asked = [
      [{ repo: 'local', versionId }, 'invalid_transition'],
      [{ repo: 'other', versionId }, 'repo_not_found'],
      [{ repo: 'local', versionId: 'ver_0123456789abcdef' }, 'version_not_found'],
      [{ repo: 'local', versionId: 'nothing' }, 'version_not_found'],
    ] as const;
    for (const [request, code] of asked) {
      await expect(tombstoneVersion(registry, { ...request, reason: 'x' }, 'me')).rejects.toMatchObject({ code });
    }
    const rows = await registry.store.read(async ({ db }) => ({
      audit: await db.selectFrom('audit').select(['action', 'outcome', 'reason']).orderBy('id').execute(),
      outbox: await db.selectFrom('outbox').select('id').execute(),
    }));
    expect(rows).toEqual({
      outbox: [],
      // What is about nothing was no act yet.
      audit: [{ action: 'package.version.tombstoned', outcome: 'refused', reason: 'invalid_transition' }],
    });
  });

  test('G16 tombstoning races tags that are being set: no tag ever points to what is gone', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const other = { ...registry, store: (await world.start()).engine.store };
    const draft = await arrangeDraft(registry);
    await publishVersion(registry, draft, 'publisher');
    const named = { repo: 'local', type: 'generic', name: 'tool', version: '1.0.0' };
    const setting = Array.from({ length: 8 }, (_, index) => setTag(other, { ...named, tag: `tag-${index}` }, 'me'));
    const tombstone = tombstoneVersion(registry, { ...draft, reason: 'x' }, 'me');
    const settled = await Promise.allSettled([...setting, tombstone]);
    for (const result of settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'version_tombstoned' });
    }
    expect(await registry.store.read(({ db }) => db.selectFrom('tag').selectAll().execute())).toEqual([]);
  });
});
