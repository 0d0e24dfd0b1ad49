import { generateKeyPairSync } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { openReleaseWorld, publishRequest, type ReleaseWorld } from '../../../../test/support/release-world.ts';
import { publicKeyOf } from '../../../platform/signatures/public-key.ts';
import { type PublishRun, publishRun } from '../release/publish-run.ts';
import { tombstoneVersion } from '../tombstone/tombstone-version.ts';
import { releaseLinks } from './release-link.ts';
import { verifyVersion } from './verify-version.ts';

afterAll(dropDatabases);

const coordinate = { type: 'waybill-run', name: 'my-tool', version: '1.2.0' };

async function release(world: ReleaseWorld, more: Partial<PublishRun> = {}) {
  return await publishRun(world.releases, publishRequest(await world.build(), more), 'me');
}

const look = { repo: 'local', coordinate, key: null, checkout: null };

describe.each(bothStores)('verifying a version on %s', (_engine, open) => {
  test('G25 an intact release is walked from the package to the commit, and its signature is the workspace’s own', async () => {
    await using world = await openReleaseWorld(await open());
    const { digest, run } = await release(world);
    const found = await verifyVersion(world.releases, look);
    expect(found).toMatchObject({
      coordinate: 'waybill-run:my-tool@1.2.0',
      digest,
      intact: true,
      authentic: 'signed',
      firstBroken: null,
      runId: run,
      state: 'succeeded',
    });
    expect(found.links.map(({ link, state }) => [link, state])).toEqual(releaseLinks.map((link) => [link, 'intact']));
    expect(found.checked).toMatchObject({
      files: 2,
      events: expect.any(Number),
      receipts: 2,
      snapshots: 1,
      announced: 1,
    });
    expect(found.links.at(-1)?.what).toContain('3 of 3 files');
  });

  test('G25 intact and authentic are two answers: another key, no key, no signature', async () => {
    await using world = await openReleaseWorld(await open());
    await release(world);
    const { releases } = world;
    const other = publicKeyOf(generateKeyPairSync('ed25519').publicKey, 'a test');
    expect(await verifyVersion(releases, { ...look, key: other })).toMatchObject({
      intact: true,
      authentic: 'wrong_key',
    });
    const own = await releases.signing.pinned();
    expect(await verifyVersion(releases, { ...look, key: own })).toMatchObject({ intact: true, authentic: 'signed' });
    const nobody = { ...releases, signing: { ...releases.signing, pinned: async () => null } };
    expect(await verifyVersion(nobody, look)).toMatchObject({ intact: true, authentic: 'not_checked' });

    const version = { ...coordinate, version: '1.3.0' };
    await release(world, { coordinate: version, unsigned: true });
    const unsigned = await verifyVersion(releases, { ...look, coordinate: version });
    expect(unsigned).toMatchObject({ intact: true, authentic: 'unsigned' });
    expect(unsigned.links[1]).toMatchObject({ link: 'attestation', state: 'not_checked' });
  });

  test('G25 of a checkout with changes the files that differ from the commit are listed', async () => {
    await using world = await openReleaseWorld(await open());
    await world.write('src/tool.ts', 'export const answer: number = 43;\n');
    await world.write('src/new.ts', 'export {};\n');
    await release(world);
    const found = await verifyVersion(world.releases, look);
    expect(found.intact).toBe(true);
    expect(found.links.at(-1)).toMatchObject({
      link: 'commit',
      state: 'intact',
      what: expect.stringContaining('changes that were not committed: 2 differ'),
      differences: [
        { path: 'src/new.ts', change: 'added' },
        { path: 'src/tool.ts', change: 'changed' },
      ],
    });
  });

  test('G25 a commit that cannot be looked for is not checked, and one that is gone is a broken link', async () => {
    await using world = await openReleaseWorld(await open());
    await release(world);
    const nowhere = await verifyVersion(world.releases, { ...look, checkout: world.opened.world.data });
    expect(nowhere.links.at(-1)).toMatchObject({
      state: 'not_checked',
      what: expect.stringContaining('no git checkout'),
    });
    expect(nowhere.intact).toBe(true);
    world.git('checkout', '-q', '--orphan', 'other');
    world.git('commit', '-q', '-m', 'Another beginning');
    world.git('branch', '-q', '-D', 'main');
    world.git('reflog', 'expire', '--expire=now', '--all');
    world.git('gc', '-q', '--prune=now');
    const gone = await verifyVersion(world.releases, look);
    expect(gone).toMatchObject({ intact: false, firstBroken: { link: 'commit', actual: 'no such commit' } });
  });

  test('G25 what git itself makes differ from a clean commit is no broken link, and a file nobody committed is', async () => {
    await using world = await openReleaseWorld(await open());
    // Ignored by this person only: a snapshot has it, and git says that the checkout is clean.
    await writeFile(join(world.root, '.git', 'config'), '[core]\n\tautocrlf = true\n\texcludesFile = .git/mine\n', {
      flag: 'a',
    });
    await writeFile(join(world.root, '.git', 'mine'), 'notes.txt\n');
    await world.write('notes.txt', 'my own');
    await rm(join(world.root, 'src', 'tool.ts'));
    world.git('checkout', '-q', '--', 'src/tool.ts');
    expect(world.git('status', '--porcelain')).toBe('');
    await release(world);
    const found = await verifyVersion(world.releases, look);
    expect(found.links.at(-1)).toMatchObject({
      state: 'intact',
      what: expect.stringContaining('as git itself makes them'),
    });
    await writeFile(join(world.root, '.git', 'mine'), '');
    const unexplained = await verifyVersion(world.releases, look);
    expect(unexplained.firstBroken).toMatchObject({ link: 'commit', what: '1 file, first notes.txt', actual: 'added' });
  });

  test('G25 a tombstoned version is verified like any other, and said to be one', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const { versionId } = await release(world);
    await tombstoneVersion(releases.registry, { repo: 'local', versionId, reason: 'it was wrong' }, 'me');
    const found = await verifyVersion(releases, look);
    expect(found).toMatchObject({ intact: true, authentic: 'signed', checked: { records: 3 } });
    expect(found.warnings).toEqual([expect.stringMatching(/^it was tombstoned at .*: it was wrong$/)]);
  });
});
