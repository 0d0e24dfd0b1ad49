import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { deleteDraft } from '../drafts/remove-draft.ts';
import { arrangeDraft } from '../testing/arrange-draft.ts';
import { makeFiles, makingFiles } from '../testing/making-files.ts';
import { openTestRegistry } from '../testing/open-test-registry.ts';
import { publishVersion } from './publish-version.ts';

afterAll(dropDatabases);

describe.each(bothStores)('the evidence of gates, on %s', (_name, open) => {
  test('G9 what a gate found of a version is no word on another one with the same content and another run', async () => {
    await using opened = await openTestRegistry({
      ...(await open()),
      workflows: [makingFiles],
      command: makeFiles,
      settings: { gates: ['run-checks'] },
    });
    const { registry, process } = opened;
    const held = await process.runs.start({ workflow: 'making-files', tasks: [], input: null, actor: 'test' });
    await held.outcome;
    const good = await arrangeDraft(registry, { name: 'tool', run: held.runId });
    const refused = publishVersion(registry, { ...good, expectedDigest: digestOf('other') }, 'test');
    await expect(refused).rejects.toMatchObject({ code: 'version_conflict' });
    const outcomes = await registry.store.read(({ db }) => db.selectFrom('gate_run').select('outcome').execute());
    expect(outcomes).toEqual([{ outcome: 'passed' }]);

    const foreign = await arrangeDraft(registry, { name: 'foreign', run: held.runId, files: { a: 'not made by it' } });
    await expect(publishVersion(registry, foreign, 'test')).rejects.toMatchObject({
      code: 'gates_not_green',
      details: {
        gates: [{ state: 'red', problems: [{ where: 'a', message: expect.stringContaining('made these bytes') }] }],
      },
    });

    await deleteDraft(registry, good, 'test');
    const same = await arrangeDraft(registry, { name: 'tool' });
    await expect(publishVersion(registry, same, 'test')).rejects.toMatchObject({
      code: 'gates_not_green',
      details: { gates: [{ gate: 'run-checks', state: 'red', problems: [{ where: 'run' }] }] },
    });
  });
});
