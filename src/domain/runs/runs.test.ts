import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { parseId } from '../../contract/ids.ts';
import { loadRun } from './load-run.ts';
import { requestRun } from './requests.ts';
import type { HeldRun } from './runs.ts';
import { openTestWorld } from './testing/engine.ts';
import { counting, eventsOf } from './testing/look.ts';
import { threeSteps } from './testing/workflows.ts';

const actor = 'me';

test('R7 sixteen concurrent steps of one run give a ledger without gaps', async () => {
  const wide = defineWorkflow('wide', { snapshot: 'none' }, async (run) => {
    await Promise.all(Array.from({ length: 16 }, (_, index) => run.step('one', { index }, async () => index)));
    return null;
  });
  await using world = await openTestWorld({ workflows: [wide] });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({ workflow: 'wide', input: null, actor });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
  const events = await eventsOf(process, runId);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  expect(events).toHaveLength(2 + 16 * 2);
});

test('R8 nothing follows the terminal event, whoever tries', async () => {
  const noop = defineWorkflow('noop', { snapshot: 'none' }, async () => null);
  await using world = await openTestWorld({ workflows: [noop] });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'noop', input: null, actor });
  await outcome;
  const late = { run: runId, seq: 3, type: 'run.failed', body: '{}', digest: 'x' };
  await expect(engine.store.write((tx) => tx.db.insertInto('run_event').values(late).execute())).rejects.toMatchObject({
    code: 'ledger_closed',
  });
  await expect(
    engine.store.write((tx) => tx.db.updateTable('run').set({ state: 'running' }).where('id', '=', runId).execute()),
  ).rejects.toMatchObject({ code: 'invalid_transition' });
  await expect(requestRun(engine, runId, { kind: 'pause' }, { actor })).rejects.toMatchObject({
    code: 'invalid_transition',
  });
});

test('R9 a receipt is written once: another content under its number or key is refused by the database', async () => {
  const one = defineWorkflow('one', { snapshot: 'none' }, async (run) => run.step('a', {}, () => 1));
  await using world = await openTestWorld({ workflows: [one] });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'one', input: null, actor });
  await outcome;
  const [row] = await engine.store.read((tx) =>
    tx.db.selectFrom('receipt').selectAll().where('run', '=', runId).execute(),
  );
  if (row === undefined) throw new Error('no receipt');
  const { id: _, ...receipt } = row;
  await expect(
    engine.store.write((tx) =>
      tx.db
        .insertInto('receipt')
        .values({ ...receipt, body: '{}' })
        .execute(),
    ),
  ).rejects.toMatchObject({ code: expect.stringMatching(/receipt_conflict|store_constraint/) });
  await expect(
    engine.store.write((tx) => tx.db.updateTable('receipt').set({ body: '{}' }).where('run', '=', runId).execute()),
  ).rejects.toMatchObject({ code: 'store_immutable' });
  await expect(
    engine.store.write((tx) => tx.db.deleteFrom('receipt').where('run', '=', runId).execute()),
  ).rejects.toMatchObject({ code: 'store_immutable' });
});

test('R8 R9 no event and no receipt takes the place of another under its row id: REPLACE runs no delete trigger', async () => {
  await using world = await openTestWorld({ workflows: [threeSteps] });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({ workflow: threeSteps.name, input: null, actor });
  await outcome;
  const before = [await eventsOf(process, runId), await loadRun(process.engine.store, runId)];
  const { store } = process.engine;
  const event = { id: 1, run: 'other', seq: 1, type: 'run.started', body: '{}', digest: 'x' };
  await expect(
    store.write((tx) => tx.db.insertInto('run_event').orReplace().values(event).execute()),
  ).rejects.toMatchObject({ code: 'ledger_closed' });
  const keys = { idempotency_key: 'k', name: 'n', outcome: 'succeeded' };
  const receipt = { id: 1, run: 'other', number: 1, body: '{}', digest: 'x', ...keys };
  await expect(
    store.write((tx) => tx.db.insertInto('receipt').orReplace().values(receipt).execute()),
  ).rejects.toMatchObject({ code: 'receipt_conflict' });
  expect([await eventsOf(process, runId), await loadRun(process.engine.store, runId)]).toEqual(before);
});

test('R39 the same step in an unrelated run is executed again, under the same key', async () => {
  const executed: string[] = [];
  const workflow = counting('twice', executed, (count) => (run) => run.step('a', { x: 1 }, () => count('a')));
  await using world = await openTestWorld({ workflows: [workflow] });
  const { engine, runs } = await world.start();
  const keys: string[] = [];
  for (let time = 0; time < 2; time++) {
    const { runId, outcome } = await runs.start({ workflow: 'twice', input: null, actor });
    await outcome;
    keys.push(...(await loadRun(engine.store, runId)).receipts.map((each) => each.receipt.idempotencyKey));
  }
  expect(executed).toEqual(['a', 'a']);
  expect(keys[0]).toBe(keys[1]);
});

test('a start with a key is one run, however often and at once it comes; another request under it is refused (part of D3)', async () => {
  const executed: string[] = [];
  const workflow = counting('keyed', executed, (count) => (run) => run.step('a', {}, () => count('a')));
  await using world = await openTestWorld({ workflows: [workflow] });
  const { runs } = await world.start();
  const start = () => runs.start({ workflow: 'keyed', input: { n: 1 }, actor, idempotencyKey: 'k' });
  const all = await Promise.all(Array.from({ length: 20 }, start));
  await Promise.all(all.map((run) => run.outcome));
  expect(new Set(all.map((run) => run.runId)).size).toBe(1);
  expect(all.filter((run) => run.created)).toHaveLength(1);
  expect(executed).toEqual(['a']);
  await expect(runs.start({ workflow: 'keyed', input: { n: 2 }, actor, idempotencyKey: 'k' })).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  });
});

test('R17 changed code stops before anything new, and names the step, the difference and the way out', async () => {
  const executed: string[] = [];
  const stuck = Promise.withResolvers<void>();
  const version = (target: string, hang: boolean) =>
    defineWorkflow('deploy', { snapshot: 'none' }, async (run) => {
      await run.step('build', { target }, () => executed.push('build') && target);
      await run.step('ship', { target }, async () => {
        executed.push('ship');
        if (hang) {
          stuck.resolve();
          await new Promise(() => {});
        }
        return target;
      });
      return null;
    });
  await using world = await openTestWorld();
  const first = await world.start({ workflows: [version('blue', true)] });
  const { runId } = await first.runs.start({ workflow: 'deploy', input: null, actor });
  await stuck.promise;
  first.die();
  const changed = await world.start({ workflows: [version('green', false)] });
  const { outcome } = await changed.runs.resume(runId, { actor });
  await expect(outcome).rejects.toMatchObject({
    code: 'nondeterministic_workflow',
    details: { step: 'build', path: '/inputs/target', recorded: '"blue"', current: '"green"' },
    hint: expect.stringContaining('fork RUN --from build'),
  });
  expect(executed).toEqual(['build', 'ship']);
  expect((await loadRun(changed.engine.store, runId)).row.state).toBe('running');
  // With the old code it goes on: nothing was lost by trying.
  const back = await world.start({ workflows: [version('blue', false)] });
  expect(await (await back.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  // With the new code it goes on in a fork.
  const fork = await changed.runs.fork(runId, { actor, from: 'build' });
  expect(await fork.outcome).toMatchObject({ state: 'succeeded' });
});

test('R15 a failed run is retried in a new one that shares its good receipts and names origin and reason', async () => {
  const executed: string[] = [];
  let broken = true;
  const workflow = counting('flaky', executed, (count) => async (run) => {
    await run.step('good', {}, () => count('good'));
    return run.step('bad', {}, () => {
      count('bad');
      if (broken) throw new Error('broken');
      return 'mended';
    });
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const failed = await process.runs.start({ workflow: 'flaky', input: null, actor });
  expect(await failed.outcome).toMatchObject({ state: 'failed', failure: { code: 'step_failed' } });
  await expect(process.runs.resume(failed.runId, { actor })).rejects.toMatchObject({ code: 'invalid_transition' });
  broken = false;
  const retried = await process.runs.retryFailed(failed.runId, { actor, reason: 'mended the thing' });
  expect(await retried.outcome).toMatchObject({ state: 'succeeded', output: 'mended' });
  expect(executed).toEqual(['good', 'bad', 'bad']);
  const [first] = await eventsOf(process, retried.runId);
  expect(first?.data.origin).toMatchObject({
    runId: failed.runId,
    kind: 'retry',
    reason: 'mended the thing',
    receipts: 1,
  });
  // The step that failed has a receipt in the family, so its next execution has a key of its own.
  const keys = [failed.runId, retried.runId].map(async (id) => (await loadRun(process.engine.store, id)).receipts);
  const [before, after] = await Promise.all(keys);
  const bad = [...(before ?? []), ...(after ?? [])]
    .filter((each) => each.receipt.step.name === 'bad')
    .map((each) => each.receipt.idempotencyKey);
  expect(new Set(bad).size).toBe(2);
  await expect(process.runs.retryFailed(retried.runId, { actor, reason: 'x' })).rejects.toMatchObject({
    code: 'run_not_failed',
  });
});

test('R18 a fork shares the receipts before the step, is linked by a row of its own, and is one run a key', async () => {
  const executed: string[] = [];
  const workflow = counting('abc', executed, (count) => async (run) => {
    for (const name of ['a', 'b', 'c']) await run.step(name, {}, () => count(name));
    return null;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const origin = await process.runs.start({ workflow: 'abc', input: null, actor });
  await origin.outcome;
  const before = await eventsOf(process, origin.runId);
  const forks: HeldRun[] = [];
  for (let time = 0; time < 2; time++) {
    const fork = await process.runs.fork(origin.runId, { actor, from: 'b', idempotencyKey: 'fork-1' });
    await fork.outcome;
    forks.push(fork);
  }
  expect(forks[0]?.runId).toBe(forks[1]?.runId);
  expect(executed).toEqual(['a', 'b', 'c', 'b', 'c']);
  const links = await process.engine.store.read((tx) => tx.db.selectFrom('run_link').selectAll().execute());
  expect(links).toMatchObject([{ run: forks[0]?.runId, origin_run: origin.runId, kind: 'fork', from_step: 'b' }]);
  expect(await eventsOf(process, origin.runId)).toEqual(before);
  await expect(process.runs.fork(origin.runId, { actor, from: 'zzz' })).rejects.toMatchObject({
    code: 'step_not_found',
    message: expect.stringContaining('a, b, c'),
  });
});

test('R21 of two resumes at once one works and the other is told who has the lease', async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const workflow = defineWorkflow('gate', { snapshot: 'none' }, async (run) =>
    run.step('wait', {}, async () => {
      started.resolve();
      await gate.promise;
      return 'through';
    }),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId } = await first.runs.start({ workflow: 'gate', input: null, actor });
  await started.promise;
  first.die();
  const others = await Promise.all([world.start(), world.start()]);
  const tries = await Promise.allSettled(others.map((process) => process.runs.resume(runId, { actor })));
  const [won] = tries.filter((each) => each.status === 'fulfilled');
  const [lost] = tries.filter((each) => each.status === 'rejected');
  expect(lost?.reason).toMatchObject({ code: 'lease_held' });
  gate.resolve();
  expect(await won?.value.outcome).toMatchObject({ state: 'succeeded' });
  await expect(others[0]?.runs.resume(runId, { actor })).rejects.toMatchObject({
    code: 'invalid_transition',
    message: expect.stringContaining('succeeded'),
  });
});

test('a holder that lost its lease can change nothing, and its run goes on elsewhere', async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const workflow = defineWorkflow('fence', { snapshot: 'none' }, async (run) => {
    await run.step('wait', {}, async () => {
      started.resolve();
      await gate.promise;
      return 'through';
    });
    return 'end';
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const old = await world.start();
  const { runId, outcome } = await old.runs.start({ workflow: 'fence', input: null, actor });
  await started.promise;
  // A holder on another machine that froze: alive, but its lease has run out and was taken.
  await old.engine.store.write((tx) =>
    tx.db.updateTable('run').set({ epoch: 2, holder: null }).where('id', '=', runId).execute(),
  );
  gate.resolve();
  await expect(outcome).rejects.toMatchObject({ code: 'stale_epoch' });
  const next = await world.start();
  expect(await (await next.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded', output: 'end' });
});

test('a secret in an input is redacted before it is hashed, stored or seen by the workflow', async () => {
  const seen: unknown[] = [];
  const workflow = defineWorkflow('secret', { snapshot: 'none' }, async (run, input) => {
    seen.push(input);
    return run.step('echo', { input }, () => ({ header: 'Authorization: Bearer abcdefghijklmnop1234567890' }));
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({
    workflow: 'secret',
    input: { note: 'password=hunter2hunter2' },
    actor,
  });
  await outcome;
  const text = JSON.stringify([seen, await eventsOf(process, runId), await loadRun(process.engine.store, runId)]);
  expect(text).toContain('[redacted:');
  expect(text).not.toContain('hunter2hunter2');
  expect(text).not.toContain('abcdefghijklmnop1234567890');
});

test('ids from outside are checked before they reach the store', () => {
  expect(() => parseId('run', '../../etc/passwd')).toThrow(expect.objectContaining({ code: 'invalid_id' }));
});

test('R18 the same fork or retry under its key is the same run, also after that run has changed the tree', async () => {
  const workflow = defineWorkflow('writes', async (run) => {
    await run.step('a', {}, () => 1);
    await run.step(
      'b',
      {},
      ({ idempotencyKey }) => appendFile(join(world.root, 'b.txt'), idempotencyKey).then(() => null),
      {
        touchesWorkspace: true,
      },
    );
    throw new Error('always');
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const origin = await process.runs.start({ workflow: 'writes', input: null, actor });
  await origin.outcome;
  const retry = () =>
    process.runs.retryFailed(origin.runId, { actor, reason: 'password=hunter2hunter2', idempotencyKey: 'retry' });
  const retried = await retry();
  await retried.outcome;
  await writeFile(join(world.root, 'later.txt'), 'by somebody else');
  expect(await retry()).toEqual({ runId: retried.runId, created: false, outcome: null });
  const fork = () => process.runs.fork(origin.runId, { actor, from: 'b', acceptDrift: true, idempotencyKey: 'fork' });
  const forked = await fork();
  await forked.outcome;
  await expect(process.runs.fork(origin.runId, { actor, from: 'b' })).rejects.toMatchObject({ code: 'drift' });
  expect(await fork()).toEqual({ runId: forked.runId, created: false, outcome: null });
  const text = JSON.stringify([await eventsOf(process, retried.runId), await eventsOf(process, forked.runId)]);
  expect(text).toContain('[redacted:');
  expect(text).not.toContain('hunter2hunter2');
});
