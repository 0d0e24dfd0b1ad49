import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { Random } from '../../../../test/support/random.ts';
import { defineWorkflow } from '../../../contract/define.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { type Digest, parseId } from '../../../contract/ids.ts';
import { systemClock } from '../../../platform/clock/clock.ts';
import { digestOf, parseDigest } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import { verifyRun } from '../../runs/evidence/verify.ts';
import { publishVersion } from '../publish/publish-version.ts';
import type { Registry } from '../registry.ts';
import { openTestRegistry, type TestRegistry } from '../testing/open-test-registry.ts';
import { collectGarbage } from './collect-garbage.ts';

afterAll(dropDatabases);

/** Fresh ones each round: what was published stays for ever. */
const textsOf = (round: number) => Array.from({ length: 24 }, (_, index) => `the bytes of ${round} and ${index}`);
const old = systemClock.now() - 3 * 86_400_000_000;
const building = defineWorkflow('building', { snapshot: 'content' }, async (run, input) => {
  const { artifacts } = await run.agent('builder', { action: 'build', inputs: { input } });
  return artifacts.length;
});

async function open(place: Awaited<ReturnType<(typeof bothStores)[number][1]>>): Promise<TestRegistry> {
  let made = 0;
  const opened: TestRegistry = await openTestRegistry({
    ...place,
    workflows: [building],
    agents: {
      builder: async ({ inputs }) => {
        const text = String(inputs.input);
        const path = `out-${++made}.txt`;
        await writeFile(join(opened.world.root, path), text);
        return { outputs: {}, artifacts: [{ path, size: text.length, digest: digestOf(text) }] };
      },
    },
  });
  return opened;
}

/** Makes everything in the folder, and every row that nobody needs, as old as garbage is. */
async function age({ registry, world }: TestRegistry, texts: readonly string[]): Promise<void> {
  const folder = join(world.data, 'blobs', 'sha256');
  for (const text of texts) await registry.blobs.put(Buffer.from(text));
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const file of files) {
    if (file.isFile()) await utimes(join(file.parentPath, file.name), old / 1e6, old / 1e6);
  }
  for (const text of texts) {
    const row = { repo: 'local', digest: digestOf(text), size: text.length, added_at: old, added_by: 'me' };
    await registry.store.write(({ db }) =>
      db
        .insertInto('repo_blob')
        .values(row)
        .onConflict((on) => on.doNothing())
        .execute(),
    );
  }
}

async function upload({ store, blobs, clock }: Registry, text: string): Promise<Digest> {
  const digest = await blobs.put(Buffer.from(text));
  const row = { repo: 'local', digest, size: text.length, added_at: clock.now(), added_by: 'me' };
  await store.write(({ db }) =>
    db
      .insertInto('repo_blob')
      .values(row)
      .onConflict((on) => on.doNothing())
      .execute(),
  );
  return digest;
}

/** A collector that rests between its steps: whatever others do in between, it meets. */
function slowed(registry: Registry, random: Random): Registry {
  const { store, blobs } = registry;
  const rest = () => delay(random.between(0, 12));
  return {
    ...registry,
    store: {
      engine: store.engine,
      hints: store.hints,
      read: async (scope) => {
        const seen = await store.read(scope);
        await rest();
        return seen;
      },
      write: (scope) => store.write(scope),
      locked: (row, scope, options) => store.locked(row, scope, options),
      select: (sql, values) => store.select(sql, values),
      submit: (operation) => store.submit(operation),
      close: () => store.close(),
    },
    blobs: {
      ...blobs,
      remove: async (...given) => {
        await rest();
        return blobs.remove(...given);
      },
    },
  };
}

const oneOf = (texts: readonly string[], random: Random) => texts[random.between(0, texts.length - 1)] ?? '';
const legal = ['blob_not_found', 'version_immutable', 'store_busy'];

/** Makes a draft of some of the bytes, uploads them or trusts that they are there, and publishes it or not. */
async function release(
  registry: Registry,
  packageId: string,
  texts: readonly string[],
  random: Random,
): Promise<string> {
  const { store, clock } = registry;
  const versionId = makeId('version');
  const [at, uploads, publishes] = [clock.now(), random.between(0, 2) > 0, random.between(0, 2) > 0];
  const first = random.between(0, texts.length - 3);
  const files = texts.slice(first, first + random.between(1, 3));
  try {
    if (uploads) for (const text of files) await upload(registry, text);
    await store.write(async ({ db }) => {
      const version = { id: versionId, package: packageId, repo: 'local', version: versionId };
      await db
        .insertInto('version')
        .values({ ...version, state: 'draft', created_at: at, created_by: 'me' })
        .execute();
      const body = Buffer.from('{}');
      const manifest = { version: versionId, media_type: 'application/json', body, digest: digestOf(body), size: 2 };
      await db.insertInto('version_manifest').values(manifest).execute();
      for (const [index, text] of files.entries()) {
        const entry = {
          version: versionId,
          path: `${index}`,
          folded: `${index}`,
          digest: digestOf(text),
          size: text.length,
        };
        await db.insertInto('version_entry').values(entry).execute();
      }
    });
    if (publishes) await publishVersion(registry, { repo: 'local', versionId }, 'me');
    return publishes ? 'published' : 'drafted';
  } catch (error) {
    if (error instanceof WaybillError && legal.includes(error.code))
      return `${uploads ? 'uploaded ' : ''}${error.code}`;
    throw error;
  }
}

/** Everything that is referred to is there, by what the tables say and by what the proof of each run says. */
async function assertNothingLost({ registry, process }: TestRegistry, since: string): Promise<void> {
  const { store, blobs } = registry;
  const referred = await store.read(async ({ db }) => ({
    entries: await db.selectFrom('version_entry').select('digest').distinct().execute(),
    rows: await db.selectFrom('repo_blob').select('digest').distinct().execute(),
    runs: await db.selectFrom('run').select('id').where('id', '>', since).execute(),
    without: await db
      .selectFrom('version_entry')
      .leftJoin('repo_blob', 'repo_blob.digest', 'version_entry.digest')
      .select('version_entry.digest')
      .where('repo_blob.digest', 'is', null)
      .execute(),
  }));
  for (const { digest } of referred.entries) expect(await blobs.has(parseDigest(digest)), `entry ${digest}`).toBe(true);
  for (const { digest } of referred.rows) expect(await blobs.has(parseDigest(digest)), `row ${digest}`).toBe(true);
  expect(referred.without).toEqual([]);
  for (const { id } of referred.runs) {
    expect(await verifyRun(process.engine, parseId('run', id)), id).toMatchObject({ intact: true });
  }
}

describe.each(bothStores)('collecting on %s', (_engine, where) => {
  test('G26 G11 while twenty publish, upload and run the very bytes that are garbage, nothing that is referred to is lost', async () => {
    const random = Random.printed('collection races');
    await using opened = await open(await where());
    const { registry, process } = opened;
    const made = { created_at: old, created_by: 'me' };
    const packages = Array.from({ length: 12 }, () => makeId('package'));
    for (const id of packages) {
      const row = { id, repo: 'local', type: 'generic', name: id.replace('_', '-'), events: 0, ...made };
      await registry.store.write(({ db }) => db.insertInto('package').values(row).execute());
    }
    const outcomes = new Map<string, number>();
    const request = { apply: true, batch: { blobs: 8, rows: 6 } };
    let removed = 0;
    let newest = '';
    for (let round = 0; round < 8; round++) {
      const texts = textsOf(round);
      await age(opened, texts);
      await rm(opened.world.root, { recursive: true });
      await mkdir(opened.world.root);
      const collecting = Promise.all(
        [0, 1].map(async () => {
          const report = await collectGarbage(slowed(registry, random), request, 'me');
          removed += report.blobs.removed.count;
        }),
      );
      let collected = false;
      void collecting.finally(() => {
        collected = true;
      });
      const works: (() => Promise<unknown>)[] = [
        ...packages.map((id) => async () => {
          const outcome = await release(registry, id, texts, random);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }),
        ...[0, 1, 2, 3, 4].map(() => () => upload(registry, oneOf(texts, random))),
        ...[0, 1, 2].map(() => async () => {
          const input = oneOf(texts, random);
          const { outcome } = await process.runs.start({ workflow: 'building', input, actor: 'me' });
          expect(await outcome).toMatchObject({ state: 'succeeded' });
        }),
      ];
      await Promise.all(
        works.map(async (work) => {
          for (;;) {
            await delay(random.between(0, 400));
            if (collected) return;
            await work();
          }
        }),
      );
      await collecting;
      await assertNothingLost(opened, newest);
      newest = await newestRun(opened);
      await empty(opened);
    }
    await assertNothingLost(opened, '');
    console.log(JSON.stringify({ removed, ...Object.fromEntries(outcomes) }));
    expect(removed).toBeGreaterThan(0);
    expect(outcomes.get('published') ?? 0).toBeGreaterThan(0);
    expect([...outcomes.keys()].filter((outcome) => outcome.startsWith('uploaded'))).toEqual([]);
  }, 120_000);
});

async function newestRun({ registry }: TestRegistry): Promise<string> {
  const row = await registry.store.read(({ db }) =>
    db.selectFrom('run').select('id').orderBy('id', 'desc').executeTakeFirst(),
  );
  return row?.id ?? '';
}

/** Drafts are deleted, so that the same bytes become garbage again; versions of other rounds keep some. */
async function empty({ registry }: TestRegistry): Promise<void> {
  await registry.store.write(async ({ db }) => {
    const drafts = db.selectFrom('version').select('id').where('state', '=', 'draft');
    await db.deleteFrom('version_entry').where('version', 'in', drafts).execute();
    await db.deleteFrom('version_manifest').where('version', 'in', drafts).execute();
    await db.deleteFrom('version').where('state', '=', 'draft').execute();
  });
}

const [, onPostgres] = bothStores;

test('G26 on PostgreSQL a blob whose entry is not committed yet is passed by: nobody waits, and nothing is lost', async () => {
  if (onPostgres === undefined) throw new Error('there is no second store');
  await using opened = await open(await onPostgres[1]());
  const { registry } = opened;
  const [text = ''] = textsOf(0);
  await age(opened, [text]);
  const digest = digestOf(text);
  const made = { created_at: old, created_by: 'me' };
  const [packageId, versionId] = [makeId('package'), makeId('version')];
  const inserted = Promise.withResolvers<void>();
  let collected = false;
  const adding = registry.store.write(async ({ db }) => {
    const pack = { id: packageId, repo: 'local', type: 'generic', name: 'slow', events: 0, ...made };
    await db.insertInto('package').values(pack).execute();
    const version = {
      id: versionId,
      package: packageId,
      repo: 'local',
      version: '1',
      state: 'draft' as const,
      ...made,
    };
    await db.insertInto('version').values(version).execute();
    const entry = { version: versionId, path: 'file', folded: 'file', digest, size: text.length };
    await db.insertInto('version_entry').values(entry).execute();
    inserted.resolve();
    while (!collected) await sql`SELECT pg_sleep(0.02)`.execute(db);
  });
  await inserted.promise;
  const report = await collectGarbage(registry, { apply: true }, 'me').finally(() => {
    collected = true;
  });
  await adding;
  expect(report.repoBlobs).toMatchObject({ removed: { count: 0 }, kept: { recent: { count: 1 } } });
  expect(report.blobs).toMatchObject({ removed: { count: 0 }, kept: { repo: { count: 1 } } });
  expect(await registry.blobs.has(digest)).toBe(true);
});
