import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { openTestRegistry } from './testing/open-test-registry.ts';

afterAll(dropDatabases);

describe.each(bothStores)('the tables of the registry on %s', (_engine, open) => {
  test('G28 a new store has the repo `local`', async () => {
    await using opened = await openTestRegistry(await open());
    const repos = await opened.registry.store.read((tx) => tx.db.selectFrom('repo').select('key').execute());
    expect(repos).toEqual([{ key: 'local' }]);
  });
});
