import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';
import { collectGarbage } from '../collection/collect-garbage.ts';
import { deleteDraft } from '../drafts/remove-draft.ts';
import { addEntries } from '../entries/add-entries.ts';
import { removeEntry } from '../entries/remove-entry.ts';
import { putManifest } from '../manifests/put-manifest.ts';
import type { Registry } from '../registry.ts';
import { type ArrangedDraft, arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { tombstoneVersion } from '../tombstone/tombstone-version.ts';
import { publishVersion } from './publish-version.ts';
import { readEntries, readManifest } from './read-content.ts';
import { versionDigest } from './version-digest.ts';

afterAll(dropDatabases);

/** What a publish is raced with: each is a change of the same draft, or of what it refers to. */
interface Rival {
  readonly name: string;
  /** Codes with which it may lose. */
  readonly loses: readonly string[];
  /** Codes with which the publish may lose to it. */
  readonly wins: readonly string[];
  act(
    registry: Registry,
    draft: ArrangedDraft,
    spare: { readonly digest: Digest; readonly size: number },
  ): Promise<unknown>;
}

const changed = ['version_immutable'];
const rivals: readonly Rival[] = [
  {
    name: 'an entry that is added',
    loses: changed,
    wins: [],
    act: (registry, draft, blob) =>
      addEntries(registry, { ...draft, entries: [{ path: 'late', ...blob, mediaType: null }] }, 'rival'),
  },
  {
    name: 'an entry that is replaced',
    loses: changed,
    wins: [],
    act: (registry, draft, blob) =>
      addEntries(registry, { ...draft, entries: [{ path: 'a', ...blob, mediaType: null }] }, 'rival'),
  },
  {
    name: 'the only entry that is removed',
    loses: changed,
    wins: ['draft_empty'],
    act: (registry, draft) => removeEntry(registry, { ...draft, path: 'a' }, 'rival'),
  },
  {
    name: 'another manifest',
    loses: changed,
    wins: [],
    act: (registry, draft) =>
      putManifest(registry, { ...draft, mediaType: null, body: Buffer.from('{"other":1}') }, 'rival'),
  },
  {
    name: 'the draft being deleted',
    loses: changed,
    wins: ['version_not_found'],
    act: (registry, draft) => deleteDraft(registry, draft, 'rival'),
  },
  {
    name: 'a tombstone',
    loses: ['invalid_transition'],
    wins: ['version_tombstoned'],
    act: (registry, draft) => tombstoneVersion(registry, { ...draft, reason: 'raced' }, 'rival'),
  },
  {
    name: 'garbage collection',
    loses: [],
    wins: [],
    act: (registry) =>
      collectGarbage({ ...registry, settings: { ...registry.settings, graceHours: 0 } }, { apply: true }, 'rival'),
  },
];

async function outcome(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: unknown) => (error instanceof WaybillError ? error.code : String(error)),
  );
}

/** What every outcome must be: all of a publish or nothing of it, and what is published is what its digest says. */
async function assertWhole(registry: Registry, { repo, versionId, packageId }: ArrangedDraft): Promise<string> {
  const { row, entries, manifest, events, records } = await registry.store.read(async (tx) => ({
    row: await tx.db.selectFrom('version').selectAll().where('id', '=', versionId).executeTakeFirst(),
    entries: await readEntries(tx, repo, versionId),
    manifest: await readManifest(tx, versionId),
    events: await tx.db
      .selectFrom('outbox')
      .select(['type', 'payload'])
      .where('aggregate', '=', `package:${packageId}`)
      .orderBy('aggregate_seq')
      .execute(),
    records: await tx.db
      .selectFrom('audit')
      .select('id')
      .where('action', '=', 'package.version.published')
      .where('resource', '=', versionId)
      .execute(),
  }));
  const published = events
    .filter(({ type }) => type === 'dev.waybill.version.published')
    .map(({ payload }): unknown => JSON.parse(payload))
    .filter((payload) => isDeepStrictEqual(payload, { ...Object(payload), versionId }));
  const state = row?.state ?? 'deleted';
  if (state === 'deleted' || state === 'draft') {
    expect([published.length, records.length]).toEqual([0, 0]);
    if (state === 'deleted') expect([entries.length, manifest]).toEqual([0, undefined]);
    return state;
  }
  if (row === undefined || manifest === undefined) throw new Error('a published version without a row or a manifest');
  const digest = versionDigest({
    coordinate: { type: 'generic', name: 'tool', version: row.version },
    entries,
    manifest: manifest.facts,
  });
  expect(row.digest).toBe(digest);
  expect(entries.every(({ held }) => held)).toBe(true);
  for (const entry of entries) expect((await registry.blobs.stat(entry.digest))?.size).toBe(entry.size);
  expect(published).toEqual([expect.objectContaining({ digest })]);
  expect(records).toHaveLength(1);
  return state;
}

describe.each(bothStores)('a publish raced, on %s', (store, open) => {
  test('G11 with each change of its draft: every outcome is a legal one', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const other = await world.start();
    const elsewhere = { ...registry, store: other.engine.store };
    const first = await arrangeDraft(registry, { version: '0.0.1', files: { a: 'first' } });
    const spareBytes = Buffer.from('spare bytes');
    const seen = new Map<string, Set<string>>();
    let rounds = 0;
    for (const rival of rivals) {
      for (let round = 0; round < 12; round++, rounds++) {
        const draft = await arrangeDraft(registry, {
          packageId: first.packageId,
          version: `1.${rounds}.0`,
          files: { a: `bytes of ${rounds}` },
        });
        const digest = await registry.blobs.put(spareBytes);
        const added = {
          repo: 'local',
          digest,
          size: spareBytes.length,
          added_at: registry.clock.now(),
          added_by: 'test',
        };
        await registry.store.write(async ({ db }) => {
          const held = await db
            .selectFrom('repo_blob')
            .select('digest')
            .where('digest', '=', digest)
            .executeTakeFirst();
          if (held === undefined) await db.insertInto('repo_blob').values(added).execute();
        });
        const rivalAct = () => rival.act(elsewhere, draft, { digest, size: spareBytes.length });
        const publish = () => publishVersion(registry, draft, 'publisher');
        // Whose call comes first alternates, and how far ahead: a publish has several statements to be overtaken in.
        const late = async (act: () => Promise<unknown>) => {
          for (let turns = 0; turns < round; turns++)
            await registry.store.read(({ db }) => db.selectFrom('repo').select('key').execute());
          return await act();
        };
        const [published, acted] =
          round % 2 === 0
            ? await Promise.all([outcome(publish()), outcome(late(rivalAct))])
            : (await Promise.all([outcome(rivalAct()), outcome(late(publish))])).toReversed();
        const where = `${rival.name}, round ${round}: publish ${published}, rival ${acted}`;
        expect(['done', ...rival.wins], where).toContain(published);
        expect(['done', ...rival.loses], where).toContain(acted);
        const state = await assertWhole(registry, draft);
        if (published === 'done') expect(['published', 'tombstoned'], where).toContain(state);
        const outcomes = seen.get(rival.name) ?? new Set();
        outcomes.add(`${published}/${acted}`);
        seen.set(rival.name, outcomes);
      }
    }
    expect(rounds).toBe(rivals.length * 12);
    console.info(
      `G11 on ${store}: ${rounds} races; ${[...seen].map(([name, all]) => `${name}: ${[...all].join(', ')}`).join('; ')}`,
    );
  }, 60_000);
});
