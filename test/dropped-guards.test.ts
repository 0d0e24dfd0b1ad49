import { describe, expect, test, vi } from 'vitest';
import {
  arrangeTargets,
  attack,
  contentOf,
  immutabilityAttacks,
} from '../src/domain/registry/testing/immutability-attacks.ts';
import { ownedRegistries } from './support/owned-registries.ts';

vi.setConfig({ testTimeout: 120_000 });

interface Dropped {
  /** Triggers, as `table.name`: one, or one with the other that refuses the same. */
  readonly drop: readonly string[];
  /** How the names of the attacks begin that then get through. */
  readonly lets: RegExp;
}

/** The guards that keep what is published as it is. */
const everywhere: readonly Dropped[] = [
  { drop: ['version.version_update'], lets: /^update of a published version|^update (the|a tombstoned)/ },
  { drop: ['version.version_insert'], lets: /^insert a (published|tombstoned) version/ },
  { drop: ['version.version_publish'], lets: /^update a draft without entries/ },
  { drop: ['version_entry.version_entry_insert'], lets: /^insert an entry/ },
  { drop: ['version_entry.version_entry_update'], lets: /^update an entry|^move an entry/ },
  { drop: ['version_entry.version_entry_delete'], lets: /^delete entries/ },
  { drop: ['version_manifest.version_manifest_update'], lets: /^(update|move) version_manifest/ },
  { drop: ['version_manifest.version_manifest_delete'], lets: /^delete version_manifest/ },
  { drop: ['version_attestation.version_attestation_update'], lets: /^(update|move) version_attestation/ },
  { drop: ['version_attestation.version_attestation_delete'], lets: /^delete version_attestation/ },
  { drop: ['package.package_update'], lets: /^rename its package|^move its package/ },
  { drop: ['package.package_delete'], lets: /^delete its package/ },
  { drop: ['repo_blob.repo_blob_delete'], lets: /^delete its blob/ },
  { drop: ['repo_blob.repo_blob_update'], lets: /^change the size of its blob/ },
  // A version that still has its parts is kept by its own guard and by theirs.
  {
    drop: ['version.version_delete', 'version_entry.version_entry_delete'],
    lets: /^delete a (published|tombstoned) version/,
  },
];

/** REPLACE deletes without a word to any delete trigger: what stands in its way is the guard before the insert. */
const onSqlite: readonly Dropped[] = [
  { drop: ['version.version_insert'], lets: /^replace by/ },
  { drop: ['version_manifest.version_manifest_insert'], lets: /^replace version_manifest/ },
  { drop: ['version_attestation.version_attestation_insert'], lets: /^replace version_attestation/ },
  { drop: ['package.package_insert'], lets: /^replace its package/ },
  { drop: ['repo_blob.repo_blob_insert'], lets: /^replace its blob/ },
];

describe.each(ownedRegistries)('the proof that what is published is never changed, on %s', (name, openOwned) => {
  const guards = [...everywhere, ...(name === 'SQLite' ? onSqlite : [])];
  test.each(guards.map((each) => ({ ...each, names: each.drop.join(' and ') })))(
    'G15 G29 turns red when $names is dropped',
    async ({ drop, lets }) => {
      await using opened = await openOwned({});
      const { registry } = opened;
      const { engine } = registry.store;
      const targets = await arrangeTargets(registry);
      const before = await contentOf(registry, targets);
      await opened.asOwner(
        ...drop.map((guard) => {
          const [table, trigger] = guard.split('.');
          return engine === 'sqlite' ? `DROP TRIGGER ${trigger}` : `DROP TRIGGER ${trigger} ON ${table}`;
        }),
      );
      const attacks = immutabilityAttacks(targets).filter(
        (each) => (each.engine ?? engine) === engine && lets.test(each.name),
      );
      const outcomes: string[] = [];
      for (const each of attacks) {
        const refused = await attack(registry, each).then(
          () => 'not refused',
          (error: unknown) => String(error),
        );
        const changed = JSON.stringify(await contentOf(registry, targets)) !== JSON.stringify(before);
        outcomes.push(changed ? 'changed' : `${each.name}: ${refused}`);
      }
      expect(outcomes.join('; ')).toContain('changed');
    },
  );
});
