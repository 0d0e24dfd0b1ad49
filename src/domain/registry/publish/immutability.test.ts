import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { arrangeTargets, attack, contentOf, immutabilityAttacks } from '../testing/immutability-attacks.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';

afterAll(dropDatabases);

/** Codes with which the tables and the roles refuse; anything else would be an accident that looks like a refusal. */
const refusals = new Set([
  'version_immutable',
  'store_immutable',
  'store_constraint',
  'transaction_denied',
  'run_not_found',
  'blob_not_found',
]);

describe.each(bothStores)('what is published, on %s', (name, open) => {
  test('G15 cannot be changed by any statement the program may run', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const targets = await arrangeTargets(registry);
    const before = await contentOf(registry, targets);
    const attacks = immutabilityAttacks(targets).filter(
      ({ engine }) => (engine ?? registry.store.engine) === registry.store.engine,
    );
    const outcomes = [];
    for (const each of attacks) {
      const error = await attack(registry, each).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      const code = error instanceof WaybillError ? error.code : error === null ? 'nothing refused it' : String(error);
      if (!refusals.has(code)) outcomes.push(`${each.name}: ${code}`);
      expect(await contentOf(registry, targets), each.name).toEqual(before);
    }
    expect(outcomes).toEqual([]);
    expect(attacks.length).toBeGreaterThan(50);
    console.info(`G15 on ${name}: ${attacks.length} attacks refused`);
  });

  test('G15 the one edge that is left is to tombstoned, which touches only the columns of the state', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const targets = await arrangeTargets(registry);
    const before = await contentOf(registry, targets);
    await attack(registry, {
      name: 'tombstone',
      statement: `UPDATE version SET state = 'tombstoned', tombstoned_at = 5, tombstoned_by = 'me', tombstone_reason = 'bad' WHERE id = '${targets.published}'`,
    });
    const after = await contentOf(registry, targets);
    expect(after).toEqual({
      ...before,
      versions: before.versions.map((row) =>
        row.id === targets.published
          ? { ...row, state: 'tombstoned', tombstoned_at: 5, tombstoned_by: 'me', tombstone_reason: 'bad' }
          : row,
      ),
      states: before.states.map((row) => (row.id === targets.published ? { ...row, state: 'tombstoned' } : row)),
    });
  });
});
