import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import { parseId } from '../../../contract/ids.ts';
import { openTestWorld } from './engine.ts';

test('a process of a test world runs a workflow on a real store', async () => {
  const workflow = defineWorkflow('sum', { snapshot: 'none' }, async (run) => {
    const a = await run.step('a', {}, () => 1);
    return await run.step('b', { a }, () => a + 1);
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const { runs } = await world.start();
  const { outcome } = await runs.start({ workflow: 'sum', input: null, actor: 'me' });
  expect(await outcome).toMatchObject({ kind: 'finished', state: 'succeeded', output: 2 });
});

test('R20 a run whose process died in its second step is resumed by another process, the first step not executed again', async () => {
  const executed: string[] = [];
  const stuck = Promise.withResolvers<void>();
  const workflow = (second: () => Promise<string>) =>
    defineWorkflow('two', async (run) => {
      const one = await run.step('one', {}, () => {
        executed.push('one');
        return 1;
      });
      return await run.step('two', { one }, second, { touchesWorkspace: true });
    });
  const hangs = workflow(() => {
    stuck.resolve();
    return new Promise(() => {});
  });
  await using world = await openTestWorld();
  const first = await world.start({ workflows: [hangs] });
  const { runId } = await first.runs.start({ workflow: 'two', input: null, actor: 'me' });
  await stuck.promise;
  first.die();
  const second = await world.start({ workflows: [workflow(async () => 'done')] });
  const { outcome } = await second.runs.resume(parseId('run', runId), { actor: 'me' });
  expect(await outcome).toMatchObject({ state: 'succeeded', output: 'done' });
  expect(executed).toEqual(['one']);
});
