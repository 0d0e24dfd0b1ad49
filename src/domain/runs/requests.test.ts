import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { loadRun } from './load-run.ts';
import { requestRun } from './requests.ts';
import { openTestWorld } from './testing/engine.ts';
import { counting, eventsOf, until } from './testing/look.ts';

const actor = 'me';

test('R20 R42 a run that waits for an approval keeps no process, still waits after a crash, and goes on when answered', async () => {
  const executed: string[] = [];
  const workflow = counting('ask', executed, (count) => async (run) => {
    await run.step('before', {}, () => count('before'));
    const answer = await run.approval('release', { prompt: 'Ship it?' });
    return run.step('after', { by: answer.actor }, () => count(answer.approved ? 'shipped' : 'held back'));
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId, outcome } = await first.runs.start({ workflow: 'ask', input: null, actor });
  expect(await outcome).toEqual({ kind: 'waiting', wakeAt: null });
  first.die();
  const second = await world.start();
  const again = await second.runs.resume(runId, { actor });
  expect(await again.outcome).toEqual({ kind: 'waiting', wakeAt: null });
  await expect(
    requestRun(second.engine, runId, { kind: 'approve', step: 'other', comment: null }, { actor }),
  ).rejects.toMatchObject({ code: 'run_not_waiting' });
  const answer = await requestRun(
    second.engine,
    runId,
    { kind: 'approve', step: 'release', comment: 'yes' },
    { actor: 'boss' },
  );
  expect(answer).toMatchObject({ outcome: 'done', by: 'requester' });
  const done = await second.runs.resume(runId, { actor });
  expect(await done.outcome).toMatchObject({ state: 'succeeded', output: 'shipped' });
  expect(executed).toEqual(['before', 'shipped']);
});

test('R42 approve, signal and cancel reach a living holder from another process', async () => {
  const hanging = Promise.withResolvers<void>();
  const workflow = defineWorkflow('busy', { snapshot: 'none' }, async (run) => {
    // One step at work keeps the holder alive while the others wait.
    const work = run.step(
      'work',
      {},
      ({ signal }) =>
        new Promise<string>((_, reject) => {
          hanging.resolve();
          signal.addEventListener('abort', () => reject(new Error('ended')), { once: true });
        }),
    );
    const [denied, payload] = await Promise.all([run.approval('ok', { prompt: 'Go on?' }), run.signal('go')]);
    await run.step('told', { approved: denied.approved, payload }, () => null);
    return work;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const holder = await world.start();
  const other = await world.start();
  const { runId, outcome } = await holder.runs.start({ workflow: 'busy', input: null, actor });
  await hanging.promise;
  await until(async () => (await loadRun(other.engine.store, runId)).pending.length === 2);
  expect(
    await requestRun(other.engine, runId, { kind: 'deny', step: 'ok', comment: null }, { actor: 'boss' }),
  ).toMatchObject({ outcome: 'done', by: 'holder' });
  expect(
    await requestRun(other.engine, runId, { kind: 'signal', name: 'go', payload: { n: 7 } }, { actor }),
  ).toMatchObject({ outcome: 'done', by: 'holder' });
  await until(async () =>
    (await loadRun(other.engine.store, runId)).receipts.some((each) => each.receipt.step.name === 'told'),
  );
  const told = (await loadRun(other.engine.store, runId)).receipts.find((each) => each.receipt.step.name === 'told');
  expect(told?.receipt.inputs).toEqual({ approved: false, payload: { n: 7 } });
  expect(await requestRun(other.engine, runId, { kind: 'cancel', comment: 'enough' }, { actor: 'boss' })).toMatchObject(
    { outcome: 'done', state: 'canceled' },
  );
  expect(await outcome).toMatchObject({ kind: 'finished', state: 'canceled' });
  const types = (await eventsOf(other, runId)).map((event) => event.type);
  expect(types.at(-1)).toBe('run.canceled');
  expect(await requestRun(other.engine, runId, { kind: 'cancel', comment: null }, { actor })).toMatchObject({
    outcome: 'unchanged',
  });
});

test('R42 cancel without a living holder is done by the requester', async () => {
  const stuck = Promise.withResolvers<void>();
  const workflow = defineWorkflow('hang', { snapshot: 'none' }, async (run) =>
    run.step('hang', {}, () => {
      stuck.resolve();
      return new Promise<null>(() => {});
    }),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId } = await first.runs.start({ workflow: 'hang', input: null, actor });
  await stuck.promise;
  first.die();
  const second = await world.start();
  expect(await requestRun(second.engine, runId, { kind: 'cancel', comment: null }, { actor })).toMatchObject({
    outcome: 'done',
    by: 'requester',
  });
  expect((await loadRun(second.engine.store, runId)).row.state).toBe('canceled');
  await expect(second.runs.resume(runId, { actor })).rejects.toMatchObject({
    code: 'run_finished',
    hint: expect.stringContaining('fork'),
  });
});
