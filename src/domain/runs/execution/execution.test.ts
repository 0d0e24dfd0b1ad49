import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import { openTestWorld } from '../testing/engine.ts';

const actor = 'me';

test('R20 a run rests also when the last that happened beside its question was something recorded', async () => {
  let broken = true;
  const workflow = defineWorkflow('aside', { snapshot: 'none' }, async (run) => {
    await run.step('shared', {}, () => 'a');
    if (broken) await run.step('breaks', {}, () => Promise.reject(new Error('broken')));
    const beside = async () => {
      await run.step('new', {}, () => 'b');
      // Recorded in the origin: answered at once, by nothing that is at work.
      for (const name of ['one', 'two', 'three']) await run.step(name, {}, () => name).catch(() => null);
    };
    const answers = await Promise.all([run.approval('go', { prompt: 'Go on?' }), beside()]);
    return answers.length;
  });
  const recorder = defineWorkflow('aside', { snapshot: 'none' }, async (run) => {
    await run.step('shared', {}, () => 'a');
    for (const name of ['one', 'two', 'three']) await run.step(name, {}, () => name);
    return await run.step('breaks', {}, () => Promise.reject(new Error('broken')));
  });
  await using world = await openTestWorld();
  const first = await world.start({ workflows: [recorder] });
  const failed = await first.runs.start({ workflow: 'aside', input: null, actor });
  expect(await failed.outcome).toMatchObject({ state: 'failed' });
  broken = false;
  const second = await world.start({ workflows: [workflow] });
  const retried = await second.runs.retryFailed(failed.runId, { actor, reason: 'again' });
  expect(await retried.outcome).toEqual({ kind: 'waiting', wakeAt: null });
});

test('R20 a result that is read from the blobs is not taken for silence: what follows it runs before the run rests', async () => {
  const executed: string[] = [];
  const workflow = defineWorkflow('large', { snapshot: 'none' }, async (run) => {
    const beside = async () => {
      const text = await run.step('large', {}, () => 'x'.repeat(500_000));
      await run.step('next', {}, () => {
        executed.push('next');
        return text.length;
      });
    };
    return (await Promise.all([run.approval('go', { prompt: 'Go on?' }), beside()])).length;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const { engine, runs } = await world.start();
  const blobs: { get: typeof engine.blobs.get } = engine.blobs;
  const get = blobs.get.bind(engine.blobs);
  // A slow disk.
  blobs.get = async (digest) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return get(digest);
  };
  const { outcome } = await runs.start({ workflow: 'large', input: null, actor });
  expect(await outcome).toEqual({ kind: 'waiting', wakeAt: null });
  expect(executed).toEqual(['next']);
});
