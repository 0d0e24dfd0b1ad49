import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import type { Registry } from '../registry.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { deleteRepo } from './delete-repo.ts';
import { listRepos } from './list-repos.ts';
import { makeRepo } from './make-repo.ts';
import { findRepo } from './require-repo.ts';
import { showRepo } from './show-repo.ts';

afterAll(dropDatabases);

const made = { created_at: 1, created_by: 'test' };

async function addPackage({ store }: Registry, repo: string, versions: number): Promise<string> {
  const id = makeId('package');
  await store.write(async ({ db }) => {
    await db
      .insertInto('package')
      .values({ id, repo, type: 'generic', name: id, events: 0, ...made })
      .execute();
    for (let index = 0; index < versions; index++) {
      const row = { id: makeId('version'), package: id, repo, version: `1.0.${index}`, ...made };
      await db
        .insertInto('version')
        .values({ ...row, state: 'draft' })
        .execute();
    }
  });
  return id;
}

describe.each(bothStores)('repos on %s', (_engine, open) => {
  test('G28 a repo with drafts is not deleted, and says how many; with blobs, uploads and empty packages only it is, with all of them', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { store } = registry;
    await makeRepo(registry, { key: 'team', description: 'Ours' }, 'admin');
    const packageId = await addPackage(registry, 'team', 2);
    await addPackage(registry, 'team', 0);
    await expect(deleteRepo(registry, { key: 'team' }, 'admin')).rejects.toMatchObject({
      code: 'repo_not_empty',
      details: { repo: 'team', versions: 2, draft: 2 },
    });
    await store.write(async ({ db }) => {
      await db.deleteFrom('version').where('package', '=', packageId).execute();
      const blob = { repo: 'team', digest: digestOf('x'), size: 1, added_at: 1, added_by: 'test' };
      await db
        .insertInto('repo_blob')
        .values([blob, { ...blob, repo: 'local' }])
        .execute();
      await db
        .insertInto('upload')
        .values({ id: makeId('upload'), repo: 'team', made_at: 1, made_by: 'test' })
        .execute();
    });
    expect(await showRepo(registry, 'team')).toMatchObject({ packages: 2, blobs: { count: 1, size: 1 } });
    expect(await deleteRepo(registry, { key: 'team' }, 'admin')).toMatchObject({ key: 'team', packages: 2 });
    const left = await store.read(async ({ db }) => ({
      packages: await db.selectFrom('package').select('id').execute(),
      uploads: await db.selectFrom('upload').select('id').execute(),
      blobs: await db.selectFrom('repo_blob').select('repo').execute(),
      audit: await db.selectFrom('audit').select(['action', 'outcome', 'reason']).orderBy('id').execute(),
    }));
    expect(left).toEqual({
      packages: [],
      uploads: [],
      blobs: [{ repo: 'local' }],
      audit: [
        { action: 'repo.made', outcome: 'succeeded', reason: null },
        { action: 'repo.deleted', outcome: 'refused', reason: 'repo_not_empty' },
        { action: 'repo.deleted', outcome: 'succeeded', reason: null },
      ],
    });
    await expect(deleteRepo(registry, { key: 'team' }, 'admin')).rejects.toMatchObject({ code: 'repo_not_found' });
    await expect(deleteRepo(registry, { key: 'local' }, 'admin')).rejects.toMatchObject({
      code: 'invalid_argument',
      hint: expect.stringContaining('gc'),
    });
  });

  test('G28 of many who make one repo one does; deleting races making of packages without leaving any behind', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const other: Registry = { ...registry, store: (await world.start()).engine.store };
    const making = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        makeRepo(index % 2 === 0 ? registry : other, { key: 'team', description: '' }, `maker-${index}`),
      ),
    );
    const refused = making.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(refused).toHaveLength(9);
    for (const reason of refused) expect(reason).toMatchObject({ code: 'repo_exists' });
    for (let round = 0; round < 5; round++) {
      const key = `race-${round}`;
      await makeRepo(registry, { key, description: '' }, 'me');
      const [adding, deleting] = await Promise.allSettled([
        addPackage(other, key, 1),
        deleteRepo(registry, { key }, 'me'),
      ]);
      const rows = await registry.store.read(({ db }) =>
        db.selectFrom('version').select('id').where('repo', '=', key).execute(),
      );
      const exists = await findRepo(registry, key).then(
        () => true,
        () => false,
      );
      expect([adding.status, deleting.status].toSorted()).toEqual(['fulfilled', 'rejected']);
      expect([exists, rows.length]).toEqual(adding.status === 'fulfilled' ? [true, 1] : [false, 0]);
      if (deleting.status === 'rejected') expect(deleting.reason).toMatchObject({ code: 'repo_not_empty' });
    }
  });

  test('G28 whoever asks sees the repos they may read, in pages', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    for (const key of ['b', 'a', 'c']) await makeRepo(registry, { key, description: '' }, 'me');
    const keys = async (readable: 'all' | ReadonlySet<string>) => {
      const found: string[] = [];
      for (let cursor: string | null = null; ; ) {
        const page = await listRepos(registry, { readable, limit: 1, cursor });
        found.push(...page.repos.map(({ key }) => key));
        if (page.nextCursor === null) return found;
        cursor = page.nextCursor;
      }
    };
    expect(await keys('all')).toEqual(['a', 'b', 'c', 'local']);
    expect(await keys(new Set(['c', 'local', 'gone']))).toEqual(['c', 'local']);
    expect(await keys(new Set())).toEqual([]);
  });
});
