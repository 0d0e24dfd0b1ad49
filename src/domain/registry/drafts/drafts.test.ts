import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { parseId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { addEntries } from '../entries/add-entries.ts';
import { putManifest } from '../manifests/put-manifest.ts';
import type { Registry } from '../registry.ts';
import { giveBlob } from '../testing/give-blob.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { createDraft } from './create-draft.ts';
import { listDrafts } from './list-drafts.ts';
import { deleteDraft } from './remove-draft.ts';
import { removeExpiredDrafts } from './remove-expired-drafts.ts';

afterAll(dropDatabases);

const tool = { repo: 'local', type: 'generic', name: 'tool', version: '1.0.0' };
const dayMicros = 86_400_000_000;

/** The real time, which the engine's own rows need, never twice the same, and moved ahead at will. */
function movableClock() {
  let ahead = 0;
  return {
    now: () => Date.now() * 1000 + ahead++,
    move: (days: number) => {
      ahead += days * dayMicros;
    },
  };
}

async function auditOf({ store }: Registry) {
  const rows = await store.read(({ db }) =>
    db
      .selectFrom('audit')
      .select(['actor', 'action', 'resource', 'outcome', 'reason'])
      .where('action', 'like', 'package.%')
      .orderBy('id')
      .execute(),
  );
  return rows.map(({ action, outcome, reason }) => `${action} ${outcome}${reason === null ? '' : ` ${reason}`}`);
}

async function rows(
  { store }: Registry,
  table: 'package' | 'version' | 'version_entry' | 'version_manifest',
): Promise<number> {
  const [row] = await store.read(({ db }) =>
    db
      .selectFrom(table)
      .select(({ fn }) => [fn.countAll().as('count')])
      .execute(),
  );
  return Number(row?.count);
}

/** Publishes by hand what a draft has: only the state of its row matters here. */
async function publishRow({ store, clock }: Registry, id: string) {
  await store.write(async ({ db }) => {
    const published = { state: 'published' as const, digest: digestOf(id), published_at: clock.now() };
    const facts = { published_by: 'test', gates: '[]', event_seq: 1 };
    await db.updateTable('package').set({ events: 1 }).execute();
    await db
      .updateTable('version')
      .set({ ...published, ...facts })
      .where('id', '=', id)
      .execute();
  });
}

async function publishable(registry: Registry, wanted = tool) {
  const file = await giveBlob(registry, 'a file');
  const { versionId } = await createDraft(registry, { ...wanted, entries: [{ path: 'file', ...file }] }, 'me');
  await putManifest(registry, { repo: 'local', versionId, mediaType: null, body: Buffer.from('{}') }, 'me');
  return versionId;
}

describe.each(bothStores)('drafts on %s', (_engine, open) => {
  test('G5 G19 a coordinate has one draft: made once, then used again', async () => {
    const clock = movableClock();
    await using opened = await openTestRegistry({ ...(await open()), clock });
    const { registry } = opened;
    const made = await createDraft(registry, tool, 'token:ci');
    expect(made).toMatchObject({ reusedDraft: false, changed: 0 });
    expect(Math.abs((made.expiresAt ?? 0) - clock.now() - 14 * dayMicros)).toBeLessThan(60_000_000);
    clock.move(3);
    const again = await createDraft(registry, tool, 'token:other');
    expect(again).toEqual({ ...made, reusedDraft: true });
    expect(await createDraft(registry, { ...tool, version: '1.0.1' }, 'me')).toMatchObject({ reusedDraft: false });
    expect([await rows(registry, 'package'), await rows(registry, 'version')]).toEqual([1, 2]);
    expect(await auditOf(registry)).toEqual([
      'package.version.draft.created succeeded',
      'package.version.draft.reused succeeded',
      'package.version.draft.created succeeded',
    ]);
  });

  test('G5 every violation of the rules of its type is listed', async () => {
    await using opened = await openTestRegistry(await open());
    const wanted = {
      ...tool,
      name: '-A b',
      version: '!'.repeat(200),
      entries: [{ path: '/', digest: digestOf(''), size: 0 }],
    };
    await expect(createDraft(opened.registry, wanted, 'me')).rejects.toMatchObject({
      code: 'invalid_input',
      details: {
        problems: [
          { path: 'name', message: 'must begin with a lower case letter or a digit' },
          { path: 'name', message: 'must be lower case letters, digits, ".", "_" or "-"' },
          { path: 'version', message: 'must begin with a letter or a digit' },
          { path: 'version', message: 'must be letters, digits, ".", "_", "+" or "-"' },
          { path: 'version', message: 'must have at most 128 characters' },
          { path: 'entries[0].path', message: 'must be relative' },
        ],
      },
    });
    await expect(createDraft(opened.registry, { ...tool, type: 'gneric' }, 'me')).rejects.toMatchObject({
      details: { problems: [{ path: 'type', message: 'is no type of packages here; did you mean "generic"?' }] },
    });
    await expect(createDraft(opened.registry, { ...tool, repo: 'nowhere' }, 'me')).rejects.toMatchObject({
      code: 'repo_not_found',
    });
    expect(await rows(opened.registry, 'package')).toBe(0);
    expect(await auditOf(opened.registry)).toEqual([]);
  });

  test('G5 a published or tombstoned coordinate is taken for ever, and the refusal says by what', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await publishable(registry);
    await publishRow(registry, versionId);
    const details = { versionId, state: 'published', digest: digestOf(versionId) };
    await expect(createDraft(registry, tool, 'me')).rejects.toMatchObject({ code: 'version_exists', details });
    await registry.store.write(async ({ db }) => {
      const gone = { tombstoned_at: registry.clock.now(), tombstoned_by: 'test', tombstone_reason: 'broken' };
      await db
        .updateTable('version')
        .set({ state: 'tombstoned', ...gone })
        .where('id', '=', versionId)
        .execute();
    });
    await expect(createDraft(registry, tool, 'me')).rejects.toMatchObject({
      code: 'version_exists',
      details: { ...details, state: 'tombstoned' },
    });
    expect((await auditOf(registry)).slice(-2)).toEqual([
      'package.version.draft.created refused version_exists',
      'package.version.draft.created refused version_exists',
    ]);
  });

  test('G5 many at once make one package and one draft', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const answers = await Promise.all(Array.from({ length: 20 }, () => createDraft(registry, tool, 'me')));
    expect(answers.filter(({ reusedDraft }) => !reusedDraft)).toHaveLength(1);
    expect(new Set(answers.map(({ versionId }) => versionId)).size).toBe(1);
    const versions = Array.from({ length: 20 }, (_, index) => ({ ...tool, name: 'other', version: `1.0.${index}` }));
    const others = await Promise.all(versions.map((wanted) => createDraft(registry, wanted, 'me')));
    expect(new Set(others.map(({ packageId }) => packageId)).size).toBe(1);
    expect([await rows(registry, 'package'), await rows(registry, 'version')]).toEqual([2, 21]);
  });

  test('G5 a draft names the run it is made by, and is not that of another', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const run = parseId('run', 'run-20260101-000000-00000000');
    await expect(createDraft(registry, { ...tool, run }, 'me')).rejects.toMatchObject({ code: 'run_not_found' });
    expect(await rows(registry, 'package')).toBe(0);
    const { versionId } = await createDraft(registry, tool, 'me');
    await expect(createDraft(registry, { ...tool, run }, 'me')).rejects.toMatchObject({
      code: 'version_conflict',
      details: { versionId, actual: null, expected: run },
    });
  });

  test('G5 entries may come with it, all or nothing, in the same transaction', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const file = await giveBlob(registry, 'a file');
    const entries = [
      { path: 'a', ...file },
      { path: 'b', digest: digestOf('nowhere'), size: 7 },
    ];
    await expect(createDraft(registry, { ...tool, entries }, 'me')).rejects.toMatchObject({
      code: 'blob_not_found',
      details: { missing: [digestOf('nowhere')] },
    });
    expect([await rows(registry, 'package'), await rows(registry, 'version')]).toEqual([0, 0]);
    const made = await createDraft(registry, { ...tool, entries: entries.slice(0, 1) }, 'me');
    expect(made.changed).toBe(1);
    const again = await createDraft(registry, { ...tool, entries: entries.slice(0, 1) }, 'me');
    expect(again).toMatchObject({ versionId: made.versionId, reusedDraft: true, changed: 0 });
    expect(await auditOf(registry)).toEqual([
      'package.version.draft.created refused blob_not_found',
      'package.version.draft.created succeeded',
      'package.version.entries.changed succeeded',
      'package.version.draft.reused succeeded',
    ]);
  });

  test('G8 G19 a deleted draft leaves nothing but its record, and its coordinate is free', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await publishable(registry);
    await deleteDraft(registry, { repo: 'local', versionId }, 'me');
    for (const table of ['version_entry', 'version_manifest', 'version', 'package'] as const) {
      expect(await rows(registry, table), table).toBe(0);
    }
    expect((await auditOf(registry)).at(-1)).toBe('package.version.draft.deleted succeeded');
    await expect(deleteDraft(registry, { repo: 'local', versionId }, 'me')).rejects.toMatchObject({
      code: 'version_not_found',
    });
    expect(await createDraft(registry, tool, 'me')).toMatchObject({ reusedDraft: false });
  });

  test('G8 what is published is not deleted', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const versionId = await publishable(registry);
    await publishRow(registry, versionId);
    await expect(deleteDraft(registry, { repo: 'local', versionId }, 'me')).rejects.toMatchObject({
      code: 'version_immutable',
    });
    expect(await rows(registry, 'version_entry')).toBe(1);
    expect((await auditOf(registry)).at(-1)).toBe('package.version.draft.deleted refused version_immutable');
  });

  test('G8 G19 an expired draft is changed by nobody, is swept, and makes place', async () => {
    const clock = movableClock();
    await using opened = await openTestRegistry({ ...(await open()), clock, settings: { draftDays: 2 } });
    const { registry } = opened;
    const versionId = await publishable(registry);
    const published = await publishable(registry, { ...tool, version: '2.0.0' });
    await publishRow(registry, published);
    clock.move(1);
    const young = await publishable(registry, { ...tool, version: '3.0.0' });
    expect(await removeExpiredDrafts(registry, 'waybill')).toEqual({ removed: [], busy: [] });
    clock.move(1);
    const request = { repo: 'local', versionId };
    const expired = { code: 'draft_expired' };
    await expect(addEntries(registry, { ...request, entries: [] }, 'me')).rejects.toMatchObject(expired);
    const body = Buffer.from('{"a":1}');
    await expect(putManifest(registry, { ...request, mediaType: null, body }, 'me')).rejects.toMatchObject(expired);
    expect(await removeExpiredDrafts(registry, 'waybill')).toEqual({ removed: [versionId], busy: [] });
    const { drafts } = await listDrafts(registry, { repo: 'local', limit: 10 });
    expect(drafts.map((draft) => draft.versionId)).toEqual([young]);
    expect((await auditOf(registry)).at(-1)).toBe('package.version.draft.expired succeeded');
    expect(await createDraft(registry, tool, 'me')).toMatchObject({ reusedDraft: false });
  });

  test('G8 an expired draft that no sweep has met yet is replaced by a new one', async () => {
    const clock = movableClock();
    await using opened = await openTestRegistry({ ...(await open()), clock, settings: { draftDays: 1 } });
    const { registry } = opened;
    const versionId = await publishable(registry);
    clock.move(2);
    const made = await createDraft(registry, tool, 'me');
    expect(made.reusedDraft).toBe(false);
    expect(made.versionId).not.toBe(versionId);
    expect([await rows(registry, 'version'), await rows(registry, 'version_entry')]).toEqual([1, 0]);
    expect((await auditOf(registry)).slice(-2)).toEqual([
      'package.version.draft.expired succeeded',
      'package.version.draft.created succeeded',
    ]);
  });

  test('G8 sweeps, deletions and new drafts at once leave a legal state, and every draft one end', async () => {
    const clock = movableClock();
    await using opened = await openTestRegistry({ ...(await open()), clock, settings: { draftDays: 1 } });
    const { registry } = opened;
    const file = await giveBlob(registry, 'a file');
    const wanted = Array.from({ length: 12 }, (_, index) => ({
      ...tool,
      name: `tool-${index % 3}`,
      version: `1.0.${index}`,
      entries: [{ path: 'file', ...file }],
    }));
    const old = await Promise.all(wanted.map((each) => createDraft(registry, each, 'me')));
    clock.move(2);
    const results = await Promise.allSettled([
      removeExpiredDrafts(registry, 'waybill'),
      removeExpiredDrafts(registry, 'waybill'),
      ...old.slice(0, 6).map(({ versionId }) => deleteDraft(registry, { repo: 'local', versionId }, 'me')),
      ...wanted.map((each) => createDraft(registry, each, 'me')),
    ]);
    const failed = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason.code);
    expect(failed.filter((code) => code !== 'version_not_found')).toEqual([]);
    // Twelve new drafts with an entry each, and each old one went once.
    expect([await rows(registry, 'version'), await rows(registry, 'version_entry')]).toEqual([12, 12]);
    const audit = await auditOf(registry);
    const gone = audit.filter((line) => /draft\.(expired|deleted) succeeded$/.test(line));
    expect(gone).toHaveLength(12);
    expect(audit.filter((line) => line.includes('draft.created succeeded'))).toHaveLength(24);
  });

  test('G8 drafts are listed newest first, page by page, by type and name', async () => {
    await using opened = await openTestRegistry({ ...(await open()), clock: movableClock() });
    const { registry } = opened;
    const made: string[] = [];
    for (const version of ['1.0.0', '1.0.1', '1.0.2', '1.0.3', '1.0.4']) {
      made.unshift((await createDraft(registry, { ...tool, version }, 'me')).versionId);
    }
    await createDraft(registry, { ...tool, name: 'other' }, 'me');
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listDrafts>> = await listDrafts(registry, {
        repo: 'local',
        name: 'tool',
        limit: 2,
        cursor,
      });
      seen.push(...page.drafts.map(({ versionId }) => versionId));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(made);
    expect((await listDrafts(registry, { repo: 'local', type: 'npm', limit: 2 })).drafts).toEqual([]);
    await expect(listDrafts(registry, { repo: 'local', limit: 2, cursor: 'x' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(listDrafts(registry, { repo: 'nowhere', limit: 2 })).rejects.toMatchObject({ code: 'repo_not_found' });
  });
});
