import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { openReleaseWorld, publishRequest, type ReleaseWorld } from '../../../../test/support/release-world.ts';
import type { Store } from '../../../platform/store/store.ts';
import { verifyVersion } from '../verify/verify-version.ts';
import { publishRun } from './publish-run.ts';

afterAll(dropDatabases);

interface MortalStore {
  readonly store: Store;
  /** Settles when its user has died. */
  readonly died: Promise<'died'>;
  readonly calls: () => number;
}

/** A store whose user dies at its nth call, before it reached the store or after it is durable; no later call is answered. */
function mortalStore(store: Store, at: number, when: 'before' | 'after'): MortalStore {
  const death = Promise.withResolvers<'died'>();
  const never = new Promise<never>(() => {});
  let calls = 0;
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    calls += 1;
    const mine = calls;
    if (mine > at) return never;
    if (mine === at && when === 'before') death.resolve('died');
    if (mine === at && when === 'before') return never;
    // What the store refused counts as answered too.
    const answer = await work().then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    if (mine < at) return answer();
    death.resolve('died');
    return never;
  };
  return {
    died: death.promise,
    calls: () => calls,
    store: {
      ...store,
      read: (scope) => call(() => store.read(scope)),
      write: (scope) => call(() => store.write(scope)),
      locked: (row, scope, options) => call(() => store.locked(row, scope, options)),
      select: (sql, values) => call(() => store.select(sql, values)),
      submit: (operation) => call(() => store.submit(operation)),
    },
  };
}

const coordinateOf = (name: string) => ({ type: 'waybill-run', name, version: '1.0.0' });

/** All there is of one package. */
async function lookAt({ releases }: ReleaseWorld, name: string) {
  return await releases.registry.store.read(async ({ db }) => {
    const versions = await db
      .selectFrom('version')
      .innerJoin('package', 'package.id', 'version.package')
      .select([
        'version.id',
        'version.state',
        'version.digest',
        'version.run',
        'package.events',
        'package.id as packageId',
      ])
      .where('package.name', '=', name)
      .execute();
    const [version] = versions;
    const ofVersion = version?.id ?? '';
    const count = async (table: 'version_entry' | 'version_manifest' | 'version_attestation') =>
      (await db.selectFrom(table).select('version').where('version', '=', ofVersion).execute()).length;
    const events = await db
      .selectFrom('outbox')
      .select('type')
      .where('aggregate', '=', `package:${version?.packageId ?? ''}`)
      .execute();
    return {
      versions: versions.length,
      state: version?.state ?? 'none',
      digest: version?.digest ?? null,
      entries: await count('version_entry'),
      manifests: await count('version_manifest'),
      attestations: await count('version_attestation'),
      events: events.length,
    };
  });
}

describe.each(bothStores)('publishing a run, killed, on %s', (engine, open) => {
  test('G23 killed before or after any call of its store, and run again: the same version, published once', async () => {
    await using world = await openReleaseWorld(await open());
    const { releases } = world;
    const run = await world.build();
    const counted = mortalStore(releases.registry.store, Number.MAX_SAFE_INTEGER, 'before');
    const whole = { ...releases, registry: { ...releases.registry, store: counted.store } };
    await publishRun(whole, publishRequest(run, { coordinate: coordinateOf('whole') }), 'me');
    const expected = await lookAt(world, 'whole');
    expect(expected).toMatchObject({ versions: 1, state: 'published', entries: 2, attestations: 1, events: 1 });
    const calls = counted.calls();
    expect(calls).toBeGreaterThan(8);
    const left = new Set<string>();
    for (let at = 1; at <= calls; at++) {
      for (const when of ['before', 'after'] as const) {
        const name = `tool-${at}-${when}`;
        const request = publishRequest(run, { coordinate: coordinateOf(name) });
        const { store, died } = mortalStore(releases.registry.store, at, when);
        const doomed = publishRun({ ...releases, registry: { ...releases.registry, store } }, request, 'me');
        expect(await Promise.race([died, doomed.then(() => 'lived')]), `call ${at}`).toBe('died');
        const { state, entries, manifests } = await lookAt(world, name);
        left.add(`${state} ${entries} ${manifests}`);
        const again = await publishRun(releases, request, 'me');
        expect(again.idempotent, name).toBe(state === 'published');
        const { digest: _, ...found } = await lookAt(world, name);
        const { digest: __, ...wanted } = expected;
        expect(found, name).toEqual(wanted);
      }
    }
    const last = { repo: 'local', coordinate: coordinateOf(`tool-${calls}-after`), key: null, checkout: null };
    expect(await verifyVersion(releases, last)).toMatchObject({ intact: true, authentic: 'signed' });
    // It was hit in each of its states.
    expect([...left].sort()).toEqual(['draft 2 0', 'draft 2 1', 'none 0 0', 'published 2 1']);
    console.info(`G23 on ${engine}: killed before and after each of ${calls} calls`);
  }, 120_000);
});
