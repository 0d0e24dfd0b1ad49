import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { WaybillError } from '../../../contract/errors.ts';
import { createDraft } from '../drafts/create-draft.ts';
import { makeRule } from '../policy/make-rule.ts';
import type { Registry } from '../registry.ts';
import { faultAfter } from '../testing/fault-points.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { publishVersion } from './publish-version.ts';
import { publishWhole, type WholeVersion } from './publish-whole.ts';

afterAll(dropDatabases);

function whole(changes: Partial<WholeVersion> & { readonly text?: string } = {}): WholeVersion {
  const { text = 'a', ...rest } = changes;
  const [name, version] = [rest.name ?? 'tool', rest.version ?? '1.0.0'];
  return {
    repo: 'local',
    type: 'npm',
    name,
    version,
    files: [
      { path: 'tool.js', bytes: Buffer.from(text), mediaType: 'text/javascript' },
      { path: 'lib/b.js', bytes: Buffer.from('b'), mediaType: null },
    ],
    manifest: { bytes: Buffer.from(JSON.stringify({ name, version, main: 'tool.js' })), mediaType: null },
    ...rest,
  };
}

async function refusal(attempt: Promise<unknown>): Promise<WaybillError> {
  const error = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WaybillError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

const tables = ['package', 'version', 'version_entry', 'version_manifest', 'repo_blob', 'outbox'] as const;
async function rowsIn({ store }: Registry) {
  return await store.read(async ({ db }) => {
    const counts: number[] = [];
    for (const table of tables) {
      const row = await db
        .selectFrom(table)
        .select(({ fn }) => fn.countAll().as('count'))
        .executeTakeFirst();
      counts.push(Number(row?.count ?? 0));
    }
    return counts;
  });
}
async function actionsIn({ store }: Registry) {
  const rows = await store.read(({ db }) =>
    db.selectFrom('audit').select(['action', 'outcome']).orderBy('id').execute(),
  );
  return rows.map(({ action, outcome }) => `${action} ${outcome}`);
}

describe.each(bothStores)('a version published in one request, on %s', (_name, open) => {
  test('G9 G12 it is what a draft with the same content becomes, and the same again does nothing', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const first = await publishWhole(registry, whole(), 'test');
    expect(first.idempotent).toBe(false);
    expect(await rowsIn(registry)).toEqual([1, 1, 2, 1, 2, 1]);
    expect(await actionsIn(registry)).toEqual(
      [
        'blob.uploaded',
        'blob.uploaded',
        'package.version.draft.created',
        'package.version.entries.changed',
        'package.version.manifest.changed',
        'package.version.published',
      ].map((action) => `${action} succeeded`),
    );
    expect(await publishWhole(registry, whole(), 'test')).toEqual({ ...first, idempotent: true });
    const { repo } = whole();
    const request = { repo, versionId: first.versionId, expectedDigest: first.digest };
    expect(await publishVersion(registry, request, 'test')).toMatchObject({ idempotent: true, digest: first.digest });
    expect(await rowsIn(registry)).toEqual([1, 1, 2, 1, 2, 1]);

    const other = await refusal(publishWhole(registry, whole({ text: 'other' }), 'test'));
    expect(other).toMatchObject({ code: 'version_conflict', details: { actual: first.digest } });
    expect((await actionsIn(registry)).at(-1)).toBe('package.version.publish.refused refused');

    const next = await publishWhole(registry, whole({ version: '1.1.0' }), 'test');
    expect(next.idempotent).toBe(false);
    const told = await registry.store.read(({ db }) =>
      db.selectFrom('outbox').select('aggregate_seq').orderBy('aggregate_seq').execute(),
    );
    expect(told.map(({ aggregate_seq }) => Number(aggregate_seq))).toEqual([1, 2]);
  });

  test.each([
    ['a new package', 0],
    ['a package that is there', 1],
  ])('G10 a fault after each single statement leaves nothing of it, in %s', async (_place, versions) => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const fault = (): never => {
      throw new Error('the machine stopped here');
    };
    const alsoWrites = { alsoWrites: true };
    for (const name of ['counted', 'tool'].slice(0, 2 * versions))
      await publishWhole(registry, whole({ name }), 'test');
    const counting = faultAfter(registry.store, null, fault, alsoWrites);
    const counted = whole({ name: 'counted', version: '2.0.0' });
    await publishWhole({ ...registry, store: counting.store }, counted, 'test');
    const points = counting.statements.length;
    expect(points).toBeGreaterThanOrEqual(10);
    const before = await rowsIn(registry);
    for (let point = 1; point <= points; point++) {
      const faulty = faultAfter(registry.store, point, fault, alsoWrites);
      const wanted = whole({ text: `${point}`, version: '2.0.0' });
      const attempt = publishWhole({ ...registry, store: faulty.store }, wanted, 'test');
      await expect(attempt, `after statement ${point} of ${points}`).rejects.toThrow('the machine stopped here');
      expect([faulty.fired, await rowsIn(registry)]).toEqual([1, before]);
    }
    expect(
      (await actionsIn(registry)).filter((action) => action === 'package.version.publish.failed failed'),
    ).toHaveLength(points);
  });

  test('G11 of twenty at once one publishes, the others are told the same, also when the package is new', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const all = await Promise.all(Array.from({ length: 20 }, () => publishWhole(registry, whole(), 'test')));
    expect(all.filter(({ idempotent }) => !idempotent)).toHaveLength(1);
    expect(new Set(all.map(({ versionId, digest }) => `${versionId} ${digest}`)).size).toBe(1);
    expect(await rowsIn(registry)).toEqual([1, 1, 2, 1, 2, 1]);
  });

  test('G14 G22 each guard refuses it, and nothing is left but the record', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { gates: ['run-checks'] } });
    const { registry } = opened;
    expect(await refusal(publishWhole(registry, whole(), 'test'))).toMatchObject({ code: 'gates_not_green' });
    const free = { ...registry, settings: { ...registry.settings, gates: [] } };
    const wrong = whole({ name: 'Tool', files: [{ path: '../a', bytes: Buffer.from('a'), mediaType: null }] });
    const { code, details } = await refusal(publishWhole(free, wrong, 'test'));
    expect([code, details]).toMatchObject([
      'invalid_input',
      { problems: [{ path: 'name' }, { path: 'files[0].path' }] },
    ]);
    const none = await refusal(publishWhole(free, whole({ files: [] }), 'test'));
    expect(none).toMatchObject({ code: 'invalid_input', details: { problems: [{ path: 'files' }] } });
    const manifest = { bytes: Buffer.from('{"name":"tool","version":"1.0.0","main":"gone.js"}'), mediaType: null };
    expect(await refusal(publishWhole(free, whole({ manifest }), 'test'))).toMatchObject({
      code: 'manifest_invalid',
      details: { problems: [{ pointer: '/main' }] },
    });
    expect(await refusal(publishWhole(free, whole({ repo: 'nowhere' }), 'test'))).toMatchObject({
      code: 'repo_not_found',
    });
    const parameters = { bytes: 1, of: 'version' } as const;
    const rule = { kind: 'size', blocks: 'publish', reason: 'tiny only', parameters } as const;
    await makeRule(free, { repo: 'local', rule }, 'test');
    expect(await refusal(publishWhole(free, whole(), 'test'))).toMatchObject({ code: 'policy_refused' });
    expect(await rowsIn(registry)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('G5 somebody who works on the coordinate step by step is not overtaken', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const { repo, type, name, version } = whole();
    const { versionId } = await createDraft(registry, { repo, type, name, version }, 'test');
    const error = await refusal(publishWhole(registry, whole(), 'test'));
    expect(error).toMatchObject({ code: 'version_exists', details: { versionId, state: 'draft' } });

    // When the time of that draft is over, it makes place, as it does for another draft.
    await registry.store.write(({ db }) => db.updateTable('version').set({ expires_at: 1 }).execute());
    expect(await publishWhole(registry, whole(), 'test')).toMatchObject({ idempotent: false });
    const records = await registry.store.read(({ db }) =>
      db.selectFrom('audit').select('resource').where('action', '=', 'package.version.draft.expired').execute(),
    );
    expect(records).toEqual([{ resource: versionId }]);
  });
});
