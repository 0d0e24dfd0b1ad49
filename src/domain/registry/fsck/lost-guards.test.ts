import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openReleaseWorld, publishRequest } from '../../../../test/support/release-world.ts';
import { publishRun } from '../release/publish-run.ts';
import { verifyVersion } from '../verify/verify-version.ts';

test('G15 G25 on SQLite verifying a version tells of a trigger its owner has dropped, though nothing is broken yet', async () => {
  await using world = await openReleaseWorld({});
  await publishRun(world.releases, publishRequest(await world.build()), 'me');
  const coordinate = { type: 'waybill-run', name: 'my-tool', version: '1.2.0' };
  const look = { repo: 'local', coordinate, key: null, checkout: null };
  expect(await verifyVersion(world.releases, look)).toMatchObject({ intact: true, guards: [] });
  const owner = new DatabaseSync(world.opened.world.databasePath, { timeout: 5_000 });
  owner.exec('DROP TRIGGER version_entry_update');
  owner.close();
  expect(await verifyVersion(world.releases, look)).toMatchObject({
    intact: true,
    guards: [{ problem: 'missing', kind: 'trigger', table: 'version_entry', name: 'version_entry_update' }],
  });
});
