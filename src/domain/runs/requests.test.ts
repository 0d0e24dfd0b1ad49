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
    code: 'invalid_transition',
    hint: expect.stringContaining('fork'),
  });
});

test('an answer is for the question it was given to: too late for it, it is not kept for the next of the same name', async () => {
  const workflow = defineWorkflow('twice', { snapshot: 'none' }, async (run) => {
    const work = run.signal('end');
    const answers: string[] = [];
    for (const attempt of [1, 2]) {
      const answer = await run.approval('ok', {
        prompt: `Attempt ${attempt}?`,
        timeoutMs: attempt === 1 ? 60_000 : 600_000,
      });
      answers.push(answer.actor);
    }
    await work;
    return answers;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const holder = await world.start();
  const other = await world.start();
  const { runId, outcome } = await holder.runs.start({ workflow: 'twice', input: null, actor });
  await outcome;
  const late = async (who: string) =>
    requestRun(other.engine, runId, { kind: 'approve', step: 'ok', comment: null }, { actor: who });
  // Two answer the first question at once: one is in time, and the other must not answer the second question.
  const both = await Promise.allSettled([late('first'), late('second')]);
  expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(both.find((each) => each.status === 'rejected')?.reason).toMatchObject({ code: 'run_not_waiting' });
  const again = await other.runs.resume(runId, { actor });
  expect(await again.outcome).toMatchObject({ kind: 'waiting' });
  const open = (await loadRun(other.engine.store, runId)).pending.map((each) => each.work.step.name);
  expect(open.toSorted()).toEqual(['end', 'ok']);
});

test('the same answer under its key is one answer, also when the question is closed and when the run is finished', async () => {
  const workflow = defineWorkflow(
    'ask',
    { snapshot: 'none' },
    async (run) => (await run.approval('ok', { prompt: 'Go on?' })).actor,
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'ask', input: null, actor });
  await outcome;
  const approve = (comment: string | null) =>
    requestRun(engine, runId, { kind: 'approve', step: 'ok', comment }, { actor, idempotencyKey: 'k' });
  expect(await approve(null)).toMatchObject({ outcome: 'done' });
  expect(await approve(null)).toMatchObject({ outcome: 'done' });
  expect(await (await runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  expect(await approve(null)).toMatchObject({ outcome: 'done', state: 'succeeded' });
  await expect(approve('another')).rejects.toMatchObject({ code: 'idempotency_key_reused' });
});

test('R42 a name that two open questions have is not guessed at', async () => {
  const workflow = defineWorkflow('both', { snapshot: 'none' }, (run) =>
    run.each(
      ['a', 'b'],
      { key: (item) => item },
      async (_, each) => (await each.approval('ok', { prompt: '?' })).actor,
    ),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'both', input: null, actor });
  await outcome;
  const approve = (step: string) => requestRun(engine, runId, { kind: 'approve', step, comment: null }, { actor });
  await expect(approve('ok')).rejects.toMatchObject({
    code: 'run_not_waiting',
    message: expect.stringContaining('each:a/ok, each:b/ok'),
  });
  expect(await approve('each:b/ok')).toMatchObject({ outcome: 'done' });
});

test('R42 an answer to a run that is just stopping does not keep the other runs of its process from hearing theirs', async () => {
  const stuck = Promise.withResolvers<void>();
  const deaf = defineWorkflow('deaf', { snapshot: 'none' }, async (run) => {
    // Code that does not listen: the stop has to wait for it.
    const work = run.step('work', {}, () => stuck.promise.then(() => null));
    await Promise.all([run.approval('ok', { prompt: '?' }), work]);
    return null;
  });
  const busy = defineWorkflow('busy', { snapshot: 'none' }, async (run) => {
    const work = run.step(
      'work',
      {},
      ({ signal }) => new Promise<null>((_, no) => signal.addEventListener('abort', () => no(new Error('ended')))),
    );
    await Promise.all([run.approval('ok', { prompt: '?' }), work]);
    return null;
  });
  await using world = await openTestWorld({ workflows: [deaf, busy] });
  const holder = await world.start();
  const other = await world.start();
  const one = await holder.runs.start({ workflow: 'deaf', input: null, actor });
  const two = await holder.runs.start({ workflow: 'busy', input: null, actor });
  await until(async () => (await loadRun(other.engine.store, one.runId)).pending.length === 1);
  await until(async () => (await loadRun(other.engine.store, two.runId)).pending.length === 1);
  const paused = requestRun(other.engine, one.runId, { kind: 'pause' }, { actor });
  await until(
    async () =>
      (await other.engine.store.read((tx) => tx.db.selectFrom('run_request').selectAll().execute())).length === 1,
  );
  const approved = requestRun(other.engine, one.runId, { kind: 'approve', step: 'ok', comment: null }, { actor });
  expect(
    await requestRun(other.engine, two.runId, { kind: 'approve', step: 'ok', comment: null }, { actor }),
  ).toMatchObject({ outcome: 'done', by: 'holder' });
  stuck.resolve();
  expect(await paused).toMatchObject({ outcome: 'done' });
  expect(await approved).toMatchObject({ outcome: 'done', by: 'requester' });
  expect(await requestRun(other.engine, two.runId, { kind: 'cancel', comment: null }, { actor })).toMatchObject({
    state: 'canceled',
  });
  await two.outcome;
  // Nothing that was asked of a finished run is left open, or every process would look at it for ever.
  const open = await other.engine.store.read((tx) =>
    tx.db.selectFrom('run_request').select('run').where('done_at', 'is', null).execute(),
  );
  expect(open).toEqual([]);
});
