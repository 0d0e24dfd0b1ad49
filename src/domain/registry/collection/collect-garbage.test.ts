import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { defineWorkflow } from '../../../contract/define.ts';
import type { Digest, RunId } from '../../../contract/ids.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { removeRuns } from '../../runs/retention/remove-runs.ts';
import { movableClock } from '../../runs/testing/aged-runs.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry, type TestRegistry } from '../testing/open-test-registry.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { CollectionReport } from './collection-report.ts';

afterAll(dropDatabases);

const artifact = 'what the builder made';
const large = 'x'.repeat(100_000);
const building = defineWorkflow('building', { snapshot: 'list' }, async (run) => {
  await run.agent('builder', { action: 'build', expectedOutputs: ['out.txt'] });
  await run.step('large', {}, () => large);
  return null;
});
const keeping = defineWorkflow('keeping', { snapshot: 'content' }, async (run) => {
  await run.step('nothing', {}, () => 1);
  return null;
});

async function open(place: Awaited<ReturnType<(typeof bothStores)[number][1]>>) {
  const clock = movableClock();
  const opened: TestRegistry = await openTestRegistry({
    ...place,
    clock,
    workflows: [building, keeping],
    agents: {
      builder: async () => {
        await writeFile(join(opened.world.root, 'out.txt'), artifact);
        return { outputs: {}, artifacts: [{ path: 'out.txt', size: artifact.length, digest: digestOf(artifact) }] };
      },
    },
  });
  return { ...opened, clock, folder: join(opened.world.data, 'blobs', 'sha256') };
}
type Opened = Awaited<ReturnType<typeof open>>;

async function finish({ process }: Opened, workflow: string): Promise<RunId> {
  const { runId, outcome } = await process.runs.start({ workflow, input: null, actor: 'me' });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
  return runId;
}

/** As `du` would count: what lies in the folder, without asking the blob store. */
async function listed(
  folder: string,
): Promise<{ readonly count: number; readonly bytes: number; readonly names: string[] }> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) => each.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return {
    count: files.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    names: files.map(({ name }) => name).sort(),
  };
}

function sums({ blobs }: CollectionReport) {
  const parts = [blobs.kept.recent, blobs.kept.repo, blobs.kept.run, blobs.collectable, blobs.vanished];
  return {
    count: parts.reduce((sum, part) => sum + part.count, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
  };
}

async function addToRepo({ registry }: Opened, text: string): Promise<Digest> {
  const digest = await registry.blobs.put(Buffer.from(text));
  const row = { repo: 'local', digest, size: text.length, added_at: registry.clock.now(), added_by: 'me' };
  await registry.store.write(({ db }) =>
    db
      .insertInto('repo_blob')
      .values(row)
      .onConflict((on) => on.doNothing())
      .execute(),
  );
  return digest;
}

async function tombstone({ registry }: Opened, versionId: string): Promise<void> {
  const set = {
    state: 'tombstoned',
    tombstoned_at: registry.clock.now(),
    tombstoned_by: 'me',
    tombstone_reason: 'old',
  } as const;
  await registry.store.write(({ db }) => db.updateTable('version').set(set).where('id', '=', versionId).execute());
}

async function publish({ registry }: Opened, name: string, text: string): Promise<string> {
  const { repo, versionId } = await arrangeDraft(registry, { name, files: { file: text } });
  await publishVersion(registry, { repo, versionId }, 'me');
  return versionId;
}

const days = (count: number) => -count;

describe.each(bothStores)('garbage on %s', (_engine, where) => {
  test('G26 what nobody refers to goes, everything else stays, and each byte is accounted for', async () => {
    const opened = await open(await where());
    await using _ = opened;
    const { registry, clock, folder } = opened;
    await arrangeDraft(registry, { name: 'draft', files: { file: 'of a draft', shared: 'of draft and orphan' } });
    await publish(opened, 'published', 'of a version');
    await tombstone(opened, await publish(opened, 'long-gone', 'tombstoned long ago'));
    await finish(opened, 'building');
    await writeFile(join(opened.world.root, 'content.txt'), 'content that a run keeps');
    await finish(opened, 'keeping');
    const orphan = await registry.blobs.put(Buffer.from('an orphan'));
    const uploaded = await addToRepo(opened, 'uploaded and never used');
    await registry.blobs.staged.append('upl_1', 0, Readable.from([Buffer.from('half an upload')]));

    const early = await collectGarbage(registry, { apply: true }, 'me');
    expect(early).toMatchObject({ applied: true, complete: true });
    expect(early.blobs.collectable, 'nothing is older than the grace time').toEqual({ count: 0, bytes: 0 });

    clock.goTo(days(40));
    await tombstone(opened, await publish(opened, 'just-gone', 'tombstoned lately'));
    clock.goTo(days(42));
    const young = await registry.blobs.put(Buffer.from('put a moment ago'));
    await utimes(join(folder, hexOf(young).slice(0, 2), hexOf(young)), clock.now() / 1e6, clock.now() / 1e6);

    const before = await listed(folder);
    const dry = await collectGarbage(registry, { apply: false }, 'me');
    expect(dry.blobs.total).toEqual({ count: before.count, bytes: before.bytes });
    expect(sums(dry)).toEqual(dry.blobs.total);
    expect(await listed(folder)).toEqual(before);
    const gone = ['an orphan', 'uploaded and never used', 'tombstoned long ago'];
    expect(dry.blobs.collectable).toEqual({ count: 3, bytes: gone.join('').length });
    expect(dry.repoBlobs.collectable).toEqual({ count: 2, bytes: gone.slice(1).join('').length });
    expect(dry.blobs.kept.recent).toEqual({ count: 1, bytes: 'put a moment ago'.length });
    expect(dry.blobs.kept.repo.count).toBe(4);

    // A small batch comes to the same.
    const small = await collectGarbage(registry, { apply: false, batch: { blobs: 2, rows: 2 } }, 'me');
    expect(small).toEqual({ ...dry, untouchedSince: small.untouchedSince });
    const applied = await collectGarbage(registry, { apply: true, batch: { blobs: 2, rows: 2 } }, 'me');
    expect(applied).toEqual({
      ...dry,
      applied: true,
      blobs: { ...dry.blobs, removed: dry.blobs.collectable },
      repoBlobs: { ...dry.repoBlobs, removed: dry.repoBlobs.collectable },
      untouchedSince: applied.untouchedSince,
    });
    const after = await listed(folder);
    expect(after.count).toBe(before.count - 3);
    expect(after.bytes).toBe(before.bytes - applied.blobs.removed.bytes);
    const hexes = [...gone.map(digestOf), orphan, uploaded].map(hexOf);
    expect(after.names.filter((name) => hexes.includes(name))).toEqual([]);
    for (const text of ['content that a run keeps', artifact, 'of a draft', 'of a version', 'tombstoned lately']) {
      expect(await registry.blobs.has(digestOf(text)), text).toBe(true);
    }
    expect(await registry.blobs.has(digestOf(JSON.stringify(large)))).toBe(true);
    expect(await registry.blobs.staged.stat('upl_1')).toMatchObject({ size: 14 });
    const audits = await registry.store.read(({ db }) =>
      db.selectFrom('audit').select(['actor', 'resource', 'details']).where('action', '=', 'blobs.collected').execute(),
    );
    const told = audits.map(({ details }) => JSON.parse(details ?? '{}'));
    const toldBytes = told.filter(({ what }) => what === 'bytes').reduce((sum, { bytes }) => sum + bytes, 0);
    expect(toldBytes).toBe(applied.blobs.removed.bytes);
    expect(told.filter(({ what }) => what === 'rows').reduce((sum, { count }) => sum + count, 0)).toBe(2);

    // Again: nothing is left to do.
    const again = await collectGarbage(registry, { apply: true }, 'me');
    expect(again.blobs).toMatchObject({ collectable: { count: 0 }, total: { count: after.count, bytes: after.bytes } });
  });

  test('G26 the bytes of a run are kept until retention has removed it, and then go with the lists of its trees', async () => {
    const opened = await open(await where());
    await using _ = opened;
    const { registry, clock, folder } = opened;
    clock.goTo(50);
    await finish(opened, 'building');
    await writeFile(join(opened.world.root, 'content.txt'), 'content that a run keeps');
    await finish(opened, 'keeping');
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const file of files.filter((each) => each.isFile())) {
      await utimes(join(file.parentPath, file.name), clock.now() / 1e6, clock.now() / 1e6);
    }
    clock.goTo(0);
    const before = await collectGarbage(registry, { apply: true }, 'me');
    expect(before.blobs.collectable.count).toBe(0);
    expect(before.blobs.kept.run).toEqual(before.blobs.total);
    const rowsBefore = await registry.store.read(({ db }) => db.selectFrom('snapshot').select('digest').execute());
    expect(rowsBefore.length).toBeGreaterThan(1);

    const newest = { runDays: null, runCount: 1, dryRun: false, blockers: [], actor: 'me' };
    expect((await removeRuns(opened.process.engine, newest)).removed).toBe(1);
    const half = await collectGarbage(registry, { apply: true }, 'me');
    expect(await registry.blobs.has(digestOf(JSON.stringify(large))), 'an output of the run that is gone').toBe(false);
    expect(await registry.blobs.has(digestOf('content that a run keeps')), 'a file of the other run').toBe(true);
    // It is a file of the tree whose content the other run keeps.
    expect(await registry.blobs.has(digestOf(artifact))).toBe(true);
    expect(half.snapshots.removed).toBeGreaterThan(0);
    expect(half.snapshots.removed).toBeLessThan(rowsBefore.length);

    const all = { ...newest, runCount: null, runDays: 30 };
    expect((await removeRuns(opened.process.engine, all)).removed).toBe(1);
    const last = await collectGarbage(registry, { apply: true }, 'me');
    expect(last.blobs.removed).toEqual(last.blobs.total);
    expect(await listed(folder)).toMatchObject({ count: 0, bytes: 0 });
    expect(await registry.store.read(({ db }) => db.selectFrom('snapshot').select('digest').execute())).toEqual([]);
  });

  test('G26 it can be stopped after any file and goes on the next time', async () => {
    const opened = await open(await where());
    await using _ = opened;
    const { registry, clock, folder } = opened;
    for (let index = 0; index < 12; index++) await addToRepo(opened, `garbage ${index}`);
    await publish(opened, 'kept', 'of a version');
    clock.goTo(days(3));
    let [rounds, removed] = [0, 0];
    for (;;) {
      rounds += 1;
      const stop = new AbortController();
      let removals = 0;
      const blobs: typeof registry.blobs = {
        ...registry.blobs,
        remove: async (...given) => {
          if (++removals === 2) stop.abort();
          return registry.blobs.remove(...given);
        },
      };
      const before = await listed(folder);
      const report = await collectGarbage(
        { ...registry, blobs },
        { apply: true, signal: stop.signal, batch: { blobs: 5, rows: 3 } },
        'me',
      );
      const after = await listed(folder);
      expect(before.bytes - after.bytes).toBe(report.blobs.removed.bytes);
      expect(before.count - after.count).toBe(report.blobs.removed.count);
      removed += report.blobs.removed.count;
      if (report.complete) break;
      expect(report.blobs.removed.count).toBe(2);
    }
    expect([rounds, removed]).toEqual([7, 12]);
    expect(await listed(folder)).toMatchObject({ count: 1 });
  });

  test('G26 what is added again while it is being collected stays, or its entry is refused: never an entry without bytes', async () => {
    const opened = await open(await where());
    await using _ = opened;
    const { registry, clock } = opened;
    const digest = await addToRepo(opened, 'wanted again');
    clock.goTo(days(3));
    // Uploaded again just before the bytes are removed: the collector has looked before, and the row and the bytes stay.
    const blobs: typeof registry.blobs = {
      ...registry.blobs,
      list: async function* () {
        await addToRepo(opened, 'wanted again');
        const now = clock.now() / 1e6;
        await utimes(join(opened.folder, hexOf(digest).slice(0, 2), hexOf(digest)), now, now);
        yield* registry.blobs.list();
      },
    };
    const report = await collectGarbage({ ...registry, blobs }, { apply: true }, 'me');
    expect(report.repoBlobs.removed.count).toBe(1);
    expect(report.blobs.kept.recent.count).toBe(1);
    expect(await registry.blobs.has(digest)).toBe(true);
    const rows = () => registry.store.read(({ db }) => db.selectFrom('repo_blob').select('added_at').execute());
    expect(await rows()).toHaveLength(1);
    // A row that is there is told that it was wanted again.
    const [first] = await rows();
    clock.goTo(days(6));
    await addToRepo(opened, 'wanted again');
    const [second] = await rows();
    expect((second?.added_at ?? 0) - (first?.added_at ?? 0)).toBeGreaterThan(2 * 86_400_000_000);
    expect((await collectGarbage(registry, { apply: false }, 'me')).repoBlobs.kept.recent.count).toBe(1);
  });

  test('G26 what a step keeps that is at work for longer than the grace time is not collected', async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const slow = defineWorkflow('slow', { snapshot: 'none' }, async (run) => {
      await run.agent('slow', { action: 'build' });
      return null;
    });
    const clock = movableClock();
    await using opened = await openTestRegistry({
      ...(await where()),
      clock,
      workflows: [slow],
      agentSettings: { deadlineMs: 60_000 },
      agents: {
        slow: async () => {
          begun.resolve();
          await go.promise;
          return { outputs: {}, artifacts: [] };
        },
      },
    });
    const { registry, process } = opened;
    const { outcome } = await process.runs.start({ workflow: 'slow', input: null, actor: 'me' });
    await begun.promise;
    await registry.blobs.put(Buffer.from('kept by a step whose receipt comes much later'));
    // Two days later: the lease is alive, because its holder renews it.
    clock.goTo(days(2));
    const renewed = { lease_expires_at: clock.now() + 15_000_000 };
    await registry.store.write(({ db }) => db.updateTable('run').set(renewed).where('state', '=', 'running').execute());
    const during = await collectGarbage(registry, { apply: true }, 'me');
    expect(during.blobs.kept.recent.count).toBe(1);
    clock.goTo(0);
    go.resolve();
    await outcome;
    clock.goTo(days(2));
    expect((await collectGarbage(registry, { apply: true }, 'me')).blobs.removed.count).toBe(1);
  });
});
