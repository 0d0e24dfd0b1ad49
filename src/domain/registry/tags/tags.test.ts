import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { findWritten } from '../packages/find-version.ts';
import { parseCoordinate } from '../packages/parse-coordinate.ts';
import { publishVersion } from '../publish/publish-version.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { tombstoneVersion } from '../tombstone/tombstone-version.ts';
import { listTags, showTag } from './list-tags.ts';
import { removeTag, setTag } from './set-tag.ts';

afterAll(dropDatabases);

const named = { repo: 'local', type: 'generic', name: 'tool' };

describe.each(bothStores)('tags on %s', (_engine, open) => {
  test('G8 what a person writes is a version before it is a tag, and the latest when it is neither', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const first = await arrangeDraft(registry, { version: '1.0.0' });
    const { packageId } = first;
    await expect(showTag(registry, { ...named, tag: 'latest' })).rejects.toMatchObject({ code: 'tag_not_found' });
    expect(await listTags(registry, named)).toEqual([]);
    await publishVersion(registry, first, 'me');
    const stable = await arrangeDraft(registry, { version: 'stable', packageId });
    const last = await arrangeDraft(registry, { version: '0.9.0', packageId });
    await publishVersion(registry, last, 'me');
    // A draft of that name already takes the word.
    await expect(setTag(registry, { ...named, version: '1.0.0', tag: 'stable' }, 'me')).rejects.toMatchObject({
      code: 'version_exists',
    });
    await setTag(registry, { ...named, version: '1.0.0', tag: 'good' }, 'me');
    const resolve = async (text: string) =>
      (await findWritten(registry, 'local', parseCoordinate(text))).coordinate.version;
    expect(await resolve('tool')).toBe('0.9.0');
    expect(await resolve('generic:tool@latest')).toBe('0.9.0');
    expect(await resolve('tool@good')).toBe('1.0.0');
    expect(await resolve('tool@1.0.0')).toBe('1.0.0');
    await expect(resolve('tool@stable')).rejects.toMatchObject({
      code: 'version_not_found',
      hint: expect.stringContaining(stable.versionId),
    });
    await publishVersion(registry, stable, 'me');
    expect(await resolve('tool@stable')).toBe('stable');
    await tombstoneVersion(registry, { ...stable, reason: 'x' }, 'me');
    expect(await resolve('tool')).toBe('0.9.0');
    expect(await resolve('tool@stable')).toBe('stable');
    await expect(setTag(registry, { ...named, version: 'stable', tag: 'best' }, 'me')).rejects.toMatchObject({
      code: 'version_tombstoned',
    });
  });

  test('G8 each change of a tag has its record, a refusal too; setting what is so has none', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const draft = await arrangeDraft(registry);
    await publishVersion(registry, draft, 'me');
    const tag = { ...named, tag: 'good' };
    await setTag(registry, { ...tag, version: '1.0.0' }, 'one');
    await setTag(registry, { ...tag, version: '1.0.0' }, 'two');
    await expect(setTag(registry, { ...tag, version: '2.0.0' }, 'two')).rejects.toMatchObject({
      code: 'version_not_found',
    });
    await expect(setTag(registry, { ...tag, version: '1.0.0', tag: '1.0' }, 'two')).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await removeTag(registry, tag, 'three');
    await expect(removeTag(registry, tag, 'three')).rejects.toMatchObject({ code: 'tag_not_found' });
    await expect(removeTag(registry, { ...tag, tag: 'latest' }, 'three')).rejects.toMatchObject({
      code: 'tag_not_found',
    });
    // What cannot be a tag is no act, and nothing of it comes into the audit.
    await expect(removeTag(registry, { ...tag, tag: `${'x'.repeat(5_000)}\0` }, 'three')).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const records = await registry.store.read(({ db }) =>
      db
        .selectFrom('audit')
        .select(['actor', 'action', 'resource', 'outcome'])
        .where('action', 'in', ['package.tag.changed', 'package.tag.removed'])
        .orderBy('id')
        .execute(),
    );
    const resource = 'local/generic:tool@good';
    expect(records).toEqual([
      { actor: 'one', action: 'package.tag.changed', resource, outcome: 'succeeded' },
      { actor: 'three', action: 'package.tag.removed', resource, outcome: 'succeeded' },
      { actor: 'three', action: 'package.tag.removed', resource, outcome: 'refused' },
      { actor: 'three', action: 'package.tag.removed', resource: 'local/generic:tool@latest', outcome: 'refused' },
    ]);
  });
});
