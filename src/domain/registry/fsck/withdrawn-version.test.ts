import { describe, expect, test } from 'vitest';
import { ownedRegistries } from '../../../../test/support/owned-registries.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { tombstoneVersion } from '../tombstone/tombstone-version.ts';
import { checkRegistry } from './fsck.ts';

describe.each(ownedRegistries)('a withdrawn version in fsck on %s', (_name, openOwned) => {
  test('G26 names one whose row does not say that, when, by whom or why it was withdrawn', async () => {
    await using opened = await openOwned({});
    const { registry } = opened;
    const [kept, withdrawn] = [await arrangeDraft(registry, { name: 'kept' }), await arrangeDraft(registry, {})];
    for (const version of [kept, withdrawn]) await publishVersion(registry, version, 'me');
    const { versionId: id } = withdrawn;
    await tombstoneVersion(registry, { repo: 'local', versionId: id, reason: 'it leaks' }, 'me');
    expect((await checkRegistry(registry)).damage).toEqual([]);
    const before = await registry.store.read(({ db }) =>
      db.selectFrom('version').select('tombstoned_at as at').where('id', '=', id).executeTakeFirstOrThrow(),
    );
    const back = `state = 'tombstoned', tombstoned_at = ${before.at}, tombstoned_by = 'me', tombstone_reason = 'it leaks'`;
    for (const set of [
      "state = 'published', tombstoned_at = NULL, tombstoned_by = NULL, tombstone_reason = NULL",
      'tombstoned_at = 5',
      "tombstoned_by = 'eve'",
      "tombstone_reason = 'it was a slip'",
    ]) {
      await opened.withoutGuards(`UPDATE version SET ${set} WHERE id = '${id}'`);
      const found = { kind: 'version_contradicted', where: expect.stringContaining(id), found: expect.any(String) };
      expect((await checkRegistry(registry)).damage, set).toEqual([found]);
      await opened.withoutGuards(`UPDATE version SET ${back} WHERE id = '${id}'`);
    }
    expect((await checkRegistry(registry)).damage).toEqual([]);
    // A word that is no state: the rule that forbids it is of the table, and its owner can go past it.
    await opened.withoutGuards(
      registry.store.engine === 'sqlite'
        ? 'PRAGMA ignore_check_constraints = 1'
        : 'ALTER TABLE version DROP CONSTRAINT version_state_check',
      `UPDATE version SET state = 'junk' WHERE id = '${kept.versionId}'`,
    );
    expect((await checkRegistry(registry)).damage).toContainEqual({
      kind: 'version_contradicted',
      where: expect.stringContaining(kept.versionId),
      found: 'the state is junk; published is expected',
    });
  });
});
