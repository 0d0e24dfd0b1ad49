import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { defineWorkflow } from '../../contract/define.ts';
import { requestRun } from './requests.ts';
import { openTestWorld } from './testing/engine.ts';

afterAll(dropDatabases);

describe.each(bothStores)('a signal that comes early, on %s', (_, where) => {
  test('is found by the run when it comes to wait for it, each by one wait, in the order they were sent', async () => {
    const begun = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    const workflow = defineWorkflow('early', { snapshot: 'none' }, async (run) => {
      await run.step('begin', {}, async () => {
        begun.resolve();
        await sent.promise;
        return null;
      });
      const first = await run.signal('go');
      return [first, await run.signal('go')];
    });
    await using world = await openTestWorld({ workflows: [workflow], ...(await where()) });
    const { runs, engine } = await world.start();
    const { runId, outcome } = await runs.start({ workflow: 'early', input: null, actor: 'me' });
    await begun.promise;
    for (const payload of ['one', 'two']) {
      const asked = await requestRun(engine, runId, { kind: 'signal', name: 'go', payload }, { actor: 'me' });
      expect(asked.outcome).toBe('kept');
    }
    sent.resolve();
    expect(await outcome).toMatchObject({ kind: 'finished', state: 'succeeded', output: ['one', 'two'] });
  });

  test('is not waited for by a run that has none: it rests', async () => {
    const workflow = defineWorkflow('none', { snapshot: 'none' }, (run) => run.signal('never'));
    await using world = await openTestWorld({ workflows: [workflow], ...(await where()) });
    const { runs } = await world.start();
    const { outcome } = await runs.start({ workflow: 'none', input: null, actor: 'me' });
    expect(await outcome).toMatchObject({ kind: 'waiting' });
  });
});
