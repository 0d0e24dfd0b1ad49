import { isDeepStrictEqual } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { parseId } from '../../../contract/ids.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { faultAfter } from '../testing/fault-points.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { splitStore } from '../testing/split-store.ts';
import { publishVersion } from './publish-version.ts';

afterAll(dropDatabases);

class Fault extends Error {}
const fault = (): never => {
  throw new Fault('the machine stopped here');
};
const attestation = { envelope: '{"payload":"e30="}', keyId: 'test-key' };

/** Everything a publish may change, as it is now. */
async function stateOf({ store }: Registry) {
  return await store.read(async ({ db }) => ({
    versions: await db.selectFrom('version').selectAll().orderBy('id').execute(),
    packages: await db.selectFrom('package').selectAll().orderBy('id').execute(),
    entries: await db.selectFrom('version_entry').selectAll().orderBy('path').execute(),
    attestations: await db.selectFrom('version_attestation').selectAll().execute(),
    outbox: await db.selectFrom('outbox').selectAll().execute(),
  }));
}

async function attempts({ store }: Registry) {
  return await store.read(({ db }) =>
    db
      .selectFrom('audit')
      .select(['action', 'outcome', 'reason'])
      .where('action', 'like', 'package.version.publish.%')
      .orderBy('id')
      .execute(),
  );
}

/** A gate that is always green, so that its statement is one of those a fault can follow. */
function withGate(registry: Registry): Registry {
  const check = async () => ({ outcome: 'passed', checked: 1, problems: [] }) as const;
  return { ...registry, gates: new Map([['always', { id: 'always', definition: { always: 'green' }, check }]]) };
}

interface Sweep {
  readonly points: number;
  /** Points at which the fault fired. */
  readonly fired: readonly number[];
  /** Points after which something was left of the publish. */
  readonly torn: readonly number[];
  readonly audited: readonly unknown[];
}

/** Publishes with a fault before the first and after each single statement, and looks at what is left each time. */
async function sweep(registry: Registry, split: (store: Store) => Store): Promise<Sweep> {
  // A publish without a fault counts the statements, so that none can be forgotten when one is added.
  const counting = faultAfter(registry.store, null, fault);
  const counted = await arrangeDraft(registry, { name: 'counted' });
  await publishVersion({ ...registry, store: counting.store }, { ...counted, attestation }, 'test');
  const points = counting.statements.length;
  expect(counting.statements.filter((kind) => kind === 'insert')).toHaveLength(3);
  expect(counting.statements.filter((kind) => kind === 'update')).toHaveLength(2);
  const [fired, torn]: [number[], number[]] = [[], []];
  for (let point = 0; point <= points; point++) {
    const draft = await arrangeDraft(registry, { name: `tool-${point}` });
    const before = await stateOf(registry);
    const faulty = faultAfter(split(registry.store), point, fault);
    const attempt = publishVersion({ ...registry, store: faulty.store }, { ...draft, attestation }, 'test');
    await expect(attempt, `after statement ${point} of ${points}`).rejects.toThrow(Fault);
    if (faulty.fired === 1) fired.push(point);
    if (!isDeepStrictEqual(await stateOf(registry), before)) torn.push(point);
  }
  return { points, fired, torn, audited: await attempts(registry) };
}

describe.each(bothStores)('a publish on %s', (engine, open) => {
  test('G10 a fault after each single statement leaves the draft as it was, and an audit record of the attempt', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { gates: ['always'] } });
    const registry = withGate(opened.registry);
    const { points, fired, torn, audited } = await sweep(registry, (store) => store);
    expect(points).toBeGreaterThanOrEqual(9);
    expect(fired).toEqual(Array.from({ length: points + 1 }, (_, point) => point));
    expect(torn).toEqual([]);
    const failed = { action: 'package.version.publish.failed', outcome: 'failed', reason: 'internal' };
    expect(audited).toEqual(fired.map(() => failed));
    console.info(
      `G10 on ${engine}: ${fired.length} faults fired, before the first and after each of ${points} statements`,
    );

    // What failed can be published afterwards, as if nothing had been.
    const drafts = await registry.store.read(({ db }) =>
      db.selectFrom('version').select('id').where('state', '=', 'draft').execute(),
    );
    expect(drafts).toHaveLength(points + 1);
    for (const { id } of drafts) {
      const versionId = parseId('version', id);
      expect(await publishVersion(registry, { repo: 'local', versionId, attestation }, 'test')).toMatchObject({
        idempotent: false,
      });
    }
    const { outbox } = await stateOf(registry);
    expect(new Set(outbox.map(({ aggregate, aggregate_seq }) => `${aggregate} ${aggregate_seq}`)).size).toBe(
      points + 2,
    );
  });

  test('G10 G29 the proof can fail: with the transaction split, faults leave parts of a publish', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { gates: ['always'] } });
    const { torn } = await sweep(withGate(opened.registry), splitStore);
    expect(torn.length).toBeGreaterThanOrEqual(3);
    console.info(`G29 on ${engine}: split in single statements, the publish was torn at ${torn.length} points`);
  });
});
