import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import { digestOf, hexOf } from '../../../platform/digests/digest.ts';
import { makeId } from '../../../platform/ids/make-id.ts';
import type { TestProcess } from '../../runs/testing/engine.ts';
import { failingTwice } from '../../runs/testing/workflows.ts';
import type { Registry } from '../registry.ts';
import { type ArrangedDraft, arrangeDraft } from '../testing/arrange-draft.ts';
import { makeFiles, makingFiles } from '../testing/making-files.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { publishVersion } from './publish-version.ts';

afterAll(dropDatabases);

async function refusal(registry: Registry, draft: ArrangedDraft): Promise<WaybillError> {
  const error = await publishVersion(registry, draft, 'test').then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WaybillError)) throw new Error(`expected a refusal, got ${String(error)}`);
  return error;
}

async function lastAttempt({ store }: Registry) {
  const [last] = await store.read(({ db }) =>
    db.selectFrom('audit').select(['action', 'outcome', 'reason', 'resource']).orderBy('id', 'desc').limit(1).execute(),
  );
  return last;
}

describe.each(bothStores)('the guards of a publish, on %s', (_name, open) => {
  test('G9 G14 each refuses with its own code, lists all that is missing, and leaves an audit record', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const codes: string[] = [];
    const expectRefusal = async (draft: ArrangedDraft, code: string, details: object) => {
      const error = await refusal(registry, draft);
      expect({ code: error.code, details: error.details }).toMatchObject({ code, details });
      expect(error.hint).toBeTypeOf('string');
      expect(await lastAttempt(registry)).toEqual({
        action: 'package.version.publish.refused',
        outcome: 'refused',
        reason: code,
        resource: draft.versionId,
      });
      codes.push(code);
    };

    const nowhere = { repo: 'local', packageId: makeId('package'), versionId: makeId('version') };
    // What is about nothing was no act yet, and leaves no record.
    expect(await refusal(registry, nowhere)).toMatchObject({ code: 'version_not_found', details: { repo: 'local' } });
    const elsewhere = { ...(await arrangeDraft(registry, { name: 'elsewhere' })), repo: 'other' };
    expect(await refusal(registry, elsewhere)).toMatchObject({ code: 'version_not_found', details: { repo: 'other' } });
    expect(await lastAttempt(registry)).toBeUndefined();

    await expectRefusal(await arrangeDraft(registry, { name: 'empty', files: {} }), 'draft_empty', {});

    const expired = await arrangeDraft(registry, { name: 'expired' });
    await registry.store.write(({ db }) =>
      db.updateTable('version').set({ expires_at: 1 }).where('id', '=', expired.versionId).execute(),
    );
    await expectRefusal(expired, 'draft_expired', { expiredAt: '1970-01-01T00:00:00.000Z' });

    const withoutManifest = await arrangeDraft(registry, { name: 'papers' });
    await registry.store.write(({ db }) =>
      db.deleteFrom('version_manifest').where('version', '=', withoutManifest.versionId).execute(),
    );
    await expectRefusal(withoutManifest, 'manifest_missing', {});

    const wrong = await arrangeDraft(registry, { name: 'wrong', manifest: '{"no' });
    await expectRefusal(wrong, 'manifest_invalid', { problems: [{ pointer: '' }] });

    const gone = await arrangeDraft(registry, { name: 'gone', files: { a: 'lost 1', b: 'lost 2', c: 'kept' } });
    const lost = [digestOf('lost 1'), digestOf('lost 2')];
    for (const digest of lost) {
      const hex = hexOf(digest);
      await rm(join(world.data, 'blobs', 'sha256', hex.slice(0, 2), hex));
    }
    await expectRefusal(gone, 'blob_unavailable', { missing: lost });
    expect(codes).toHaveLength(5);
  });

  test('G14 what is wrong in the database reaches nobody as text of the database', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry } = opened;
    const draft = await arrangeDraft(registry);
    const broken: Registry = {
      ...registry,
      store: {
        ...registry.store,
        read: (scope) => registry.store.read(scope),
        submit: (operation) => registry.store.submit(operation),
        locked: (row, scope) =>
          registry.store.locked(row, async (tx) => {
            await scope(tx);
            await tx.db
              .insertInto('repo')
              .values({ key: 'secret value', description: '', created_at: 1, created_by: '' })
              .execute();
            await tx.db
              .insertInto('repo')
              .values({ key: 'secret value', description: '', created_at: 1, created_by: '' })
              .execute();
            throw new Error('not reached');
          }),
      },
    };
    const error = await refusal(broken, draft);
    expect(error.code).toBe('repo_exists');
    expect(JSON.stringify([error.message, error.details])).not.toContain('secret value');
  });

  test('G9 G23 the gate `run-checks` is green for a run that succeeded, red for a failed step and without a run', async () => {
    await using opened = await openTestRegistry({
      ...(await open()),
      workflows: [makingFiles, failingTwice],
      command: makeFiles,
      settings: { gates: ['run-checks', 'not-there'] },
    });
    const { registry, process } = opened;
    const only = { ...registry, settings: { ...registry.settings, gates: ['run-checks'] } };
    const run = await finished(process, 'making-files');
    const green = await publishVersion(only, await arrangeDraft(registry, { name: 'green', run }), 'test');
    const [row] = await registry.store.read(({ db }) =>
      db.selectFrom('gate_run').selectAll().where('subject_digest', '=', green.digest).execute(),
    );
    const judged = await registry.store.read(({ db }) =>
      db.selectFrom('audit').select(['resource', 'actor']).where('action', '=', 'gate.run').execute(),
    );
    expect(judged).toEqual([{ resource: row?.id, actor: 'test' }]);
    expect(row).toMatchObject({ gate: 'run-checks', outcome: 'passed', subject_kind: 'version', actor: 'test' });
    const [version] = await registry.store.read(({ db }) =>
      db.selectFrom('version').select('gates').where('id', '=', green.versionId).execute(),
    );
    expect(JSON.parse(version?.gates ?? '')).toEqual([{ gate: 'run-checks', evidence: row?.id }]);

    const without = await refusal(only, await arrangeDraft(registry, { name: 'without' }));
    expect(without).toMatchObject({
      code: 'gates_not_green',
      details: { gates: [{ gate: 'run-checks', state: 'red', problems: [{ where: 'run' }] }] },
    });
    const failed = await arrangeDraft(registry, { name: 'failed', run: await finished(process, 'failing-twice') });
    const problems = [
      { message: 'the run is failed' },
      { where: expect.stringContaining('(optional)'), message: 'step_failed' },
      { where: expect.stringContaining('(bad)') },
      { where: 'bin/tool' },
    ];
    expect((await refusal(only, failed)).details).toMatchObject({ gates: [{ state: 'red', problems }] });
    const unknown = await refusal(registry, await arrangeDraft(registry, { name: 'unknown', run }));
    expect(unknown).toMatchObject({ details: { gates: [{ gate: 'not-there', state: 'unknown', evidence: null }] } });
  });

  test('G9 evidence of other content, or of another definition of the gate, does not count', async () => {
    await using opened = await openTestRegistry({ ...(await open()), settings: { gates: ['strict'] } });
    let [asked, green] = [0, true];
    const gate = (version: number): Registry['gates'] =>
      new Map([
        [
          'strict',
          {
            id: 'strict',
            definition: { version },
            check: async () => {
              asked++;
              return { outcome: green ? 'passed' : 'failed', checked: 1, problems: [] };
            },
          },
        ],
      ]);
    const registry = { ...opened.registry, gates: gate(1) };
    const draft = await arrangeDraft(registry, { files: { a: 'one', b: 'two' } });
    green = false;
    await expect(publishVersion(registry, draft, 'test')).rejects.toMatchObject({ code: 'gates_not_green' });
    green = true;
    // Other content: what was said of the first is not asked for.
    await registry.store.write(({ db }) =>
      db.deleteFrom('version_entry').where('version', '=', draft.versionId).where('path', '=', 'b').execute(),
    );
    const before = asked;
    await publishVersion({ ...registry, gates: gate(2) }, draft, 'test');
    expect(asked).toBe(before + 1);
    const other = await arrangeDraft(registry, { name: 'other' });
    await publishVersion(registry, other, 'test');
    expect(asked).toBe(before + 2);
  });

  test('G13 while one publish is held open, publishes of other packages and new blobs of the repo go on', async () => {
    await using opened = await openTestRegistry(await open());
    const { registry, world } = opened;
    const other = await world.start();
    const elsewhere = { ...registry, store: other.engine.store };
    const [held, free] = [
      await arrangeDraft(registry, { name: 'held' }),
      await arrangeDraft(registry, { name: 'free' }),
    ];
    const isOpen = Promise.withResolvers<void>();
    const holding: Registry = {
      ...registry,
      store: {
        ...registry.store,
        read: (scope) => registry.store.read(scope),
        submit: (operation) => registry.store.submit(operation),
        locked: (row, scope) =>
          registry.store.locked(row, async (tx) => {
            const result = await scope(tx);
            // Everything is written and nothing committed: while this transaction is open, the others publish. On SQLite
            // there is one writer, and nothing that is awaited can hold it: the others come next.
            isOpen.resolve();
            if (registry.store.engine === 'postgres') await queriesUntil(tx, free.versionId);
            return result;
          }),
      },
    };
    const publishing = publishVersion(holding, held, 'test');
    await isOpen.promise;
    await Promise.all([
      publishVersion(elsewhere, free, 'other'),
      arrangeDraft(elsewhere, { name: 'new', files: { x: 'new bytes' } }),
    ]);
    await publishing;
    const states = await registry.store.read(({ db }) =>
      db.selectFrom('version').select(['id', 'state']).where('state', '=', 'published').orderBy('id').execute(),
    );
    expect(states.map(({ id }) => id)).toEqual([held.versionId, free.versionId].sort());
  });
});

/** Looks, in the open transaction, until another has published that version: it could not if this one held it up. */
async function queriesUntil(
  { db }: { readonly db: Parameters<Parameters<Registry['store']['locked']>[1]>[0]['db'] },
  versionId: string,
): Promise<void> {
  for (let looks = 0; looks < 20_000; looks++) {
    const row = await db.selectFrom('version').select('state').where('id', '=', versionId).executeTakeFirst();
    if (row?.state === 'published') return;
  }
  throw new Error('the other publish was held up');
}

async function finished({ runs }: TestProcess, workflow: string): Promise<RunId> {
  const held = await runs.start({ workflow, tasks: [], input: null, actor: 'test' });
  await held.outcome;
  return held.runId;
}
