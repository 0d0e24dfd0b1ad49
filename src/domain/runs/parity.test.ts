import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { defineWorkflow } from '../../contract/define.ts';
import { loadRun } from './load-run.ts';
import { requestRun } from './requests.ts';
import { openTestWorld, type TestWorld } from './testing/engine.ts';
import { eventsOf, until } from './testing/look.ts';
import { runAndDie, substance } from './testing/run-and-die.ts';

// The engine gives the same answers and the same errors on both stores: what differs between them (locks, lanes,
// triggers, conflicts) is met here by whole runs.
const actor = 'me';
afterAll(dropDatabases);

describe.each(bothStores)('the engine on %s', (_, where) => {
  test('R19 a run crashed after each of its commits ends as one that was left alone', { timeout: 60_000 }, async () => {
    const small = defineWorkflow('small', async (run) => {
      const seen = await run.agent('worker', { action: 'write' });
      const pair = await Promise.all([run.step('left', {}, () => 1), run.step('right', {}, () => 2)]);
      const third = await run.step(
        'flaky',
        {},
        ({ attempt }) => (attempt > 1 ? 3 : Promise.reject(new Error('again'))),
        {
          retry: { retries: 1, backoffMs: 1, maxBackoffMs: 1 },
        },
      );
      return { seen: seen.outputs, pair, third };
    });
    const box: { world?: () => TestWorld } = {};
    const worker = async () => {
      if (box.world !== undefined) await appendFile(join(box.world().root, 'work.txt'), 'x');
      return { outputs: { ok: true }, artifacts: [] };
    };
    const once = async (deathAt: number) => {
      const place = await where();
      const request = { workflow: 'small', input: { n: 1 }, actor };
      return runAndDie(
        (world) => {
          box.world = world;
          return { workflows: [small], agents: { worker }, ...place };
        },
        request,
        deathAt,
      );
    };
    const bySubstance = (run: Awaited<ReturnType<typeof once>>) =>
      run.receipts.map((receipt) => JSON.stringify(substance(receipt))).toSorted();
    const whole = await once(Number.POSITIVE_INFINITY);
    expect(whole).toMatchObject({ state: 'succeeded' });
    for (let deathAt = 1; deathAt <= whole.operations; deathAt++) {
      const crashed = await once(deathAt);
      expect(crashed).toMatchObject({ died: true, state: 'succeeded', output: whole.output });
      expect(bySubstance(crashed)).toEqual(bySubstance(whole));
    }
    expect(whole.operations).toBeGreaterThan(8);
  });

  test('R7 R21 R39 equal starts under one key are one run, and its ledger has no gaps', async () => {
    const wide = defineWorkflow('wide', { snapshot: 'none' }, async (run) => {
      await Promise.all(Array.from({ length: 16 }, (_, index) => run.step('one', { index }, async () => index)));
      return null;
    });
    await using world = await openTestWorld({ workflows: [wide], ...(await where()) });
    const processes = [await world.start(), await world.start()];
    const starts = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        processes[index % 2]?.runs.start({ workflow: 'wide', input: null, actor, idempotencyKey: 'k' }),
      ),
    );
    const outcomes = await Promise.all(starts.map((started) => started?.outcome));
    expect(outcomes.filter((outcome) => outcome !== null)).toMatchObject([{ state: 'succeeded' }]);
    const [runId, ...others] = new Set(starts.map((started) => started?.runId));
    expect(others).toEqual([]);
    const [process] = processes;
    if (process === undefined || runId === undefined) throw new Error('nothing was started');
    const events = await eventsOf(process, runId);
    expect(events.map((event) => event.seq)).toEqual(Array.from({ length: 34 }, (_, index) => index + 1));
    await expect(process.runs.start({ workflow: 'wide', input: 1, actor, idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    await expect(process.runs.resume(runId, { actor })).rejects.toMatchObject({ code: 'invalid_transition' });
  });

  test('R21 R42 an answer without a holder is the requester’s, two resumes are one, and a fork shares what is before it', async () => {
    const executed: string[] = [];
    const gate = Promise.withResolvers<void>();
    const workflow = defineWorkflow('ask', { snapshot: 'none' }, async (run) => {
      await run.step('before', {}, () => executed.push('before'));
      const answer = await run.approval('ship', { prompt: 'Ship it?' });
      await run.step('held', {}, () => gate.promise.then(() => null));
      return run.step('after', {}, () => executed.push('after') && answer.actor);
    });
    await using world = await openTestWorld({ workflows: [workflow], ...(await where()) });
    const [first, second, third] = [await world.start(), await world.start(), await world.start()];
    const { runId, outcome } = await first.runs.start({ workflow: 'ask', input: null, actor });
    expect(await outcome).toEqual({ kind: 'waiting', wakeAt: null });
    const approve = () =>
      requestRun(
        second.engine,
        runId,
        { kind: 'approve', step: 'ship', comment: 'password=hunter2hunter2' },
        { actor: 'boss' },
      );
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        requestRun(
          [second, third][index % 2]?.engine ?? first.engine,
          runId,
          { kind: 'approve', step: 'ship', comment: 'password=hunter2hunter2' },
          { actor: 'boss', idempotencyKey: 'a' },
        ),
      ),
    );
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 6 }, () => 'done'));
    expect((await eventsOf(first, runId)).filter(({ type }) => type === 'approval.answered')).toHaveLength(1);
    await expect(approve()).rejects.toMatchObject({ code: 'run_not_waiting' });
    const tries = await Promise.allSettled([second, third].map(({ runs }) => runs.resume(runId, { actor })));
    const [won] = tries.filter((each) => each.status === 'fulfilled');
    const [lost] = tries.filter((each) => each.status === 'rejected');
    expect(lost?.reason).toMatchObject({ code: 'lease_held' });
    gate.resolve();
    expect(await won?.value.outcome).toMatchObject({ state: 'succeeded', output: 'boss' });
    expect(JSON.stringify(await eventsOf(first, runId))).not.toContain('hunter2');
    const fork = await first.runs.fork(runId, { actor, from: 'after', idempotencyKey: 'f' });
    expect(await fork.outcome).toMatchObject({ state: 'succeeded', output: 'boss' });
    expect(await first.runs.fork(runId, { actor, from: 'after', idempotencyKey: 'f' })).toMatchObject({
      runId: fork.runId,
      created: false,
    });
    expect(executed).toEqual(['before', 'after', 'after']);
  });

  test('R42 a living holder does what another process asks of its run', async () => {
    const workflow = defineWorkflow('busy', { snapshot: 'none' }, async (run) => {
      const work = run.step(
        'work',
        {},
        ({ signal }) => new Promise<null>((_, no) => signal.addEventListener('abort', () => no(new Error('ended')))),
      );
      await Promise.all([run.signal('go'), work]);
      return null;
    });
    await using world = await openTestWorld({ workflows: [workflow], ...(await where()) });
    const [holder, other] = [await world.start(), await world.start()];
    const { runId, outcome } = await holder.runs.start({ workflow: 'busy', input: null, actor });
    await until(async () => (await loadRun(other.engine.store, runId)).pending.length === 1);
    const ask = (request: Parameters<typeof requestRun>[2]) => requestRun(other.engine, runId, request, { actor });
    expect(await ask({ kind: 'signal', name: 'go', payload: 7 })).toMatchObject({ outcome: 'done', by: 'holder' });
    expect(await ask({ kind: 'signal', name: 'never', payload: 7 })).toMatchObject({ outcome: 'kept' });
    expect(await ask({ kind: 'cancel', comment: null })).toMatchObject({ outcome: 'done', state: 'canceled' });
    expect(await outcome).toMatchObject({ state: 'canceled' });
    const requests = await other.engine.store.read((tx) =>
      tx.db.selectFrom('run_request').select(['kind', 'outcome']).orderBy('created_at').execute(),
    );
    expect(requests).toEqual([
      { kind: 'signal', outcome: 'signal' },
      { kind: 'signal', outcome: 'unchanged' },
      { kind: 'cancel', outcome: 'canceled' },
    ]);
  });

  test('R8 R9 the database refuses what follows the end, a second receipt of a number, and a holder that lost its lease', async () => {
    const gate = Promise.withResolvers<void>();
    const workflow = defineWorkflow('one', { snapshot: 'none' }, (run, input) =>
      run.step('a', {}, async () => (input === 'held' ? gate.promise.then(() => 1) : 1)),
    );
    await using world = await openTestWorld({ workflows: [workflow], ...(await where()) });
    const { engine, runs } = await world.start();
    const { runId, outcome } = await runs.start({ workflow: 'one', input: null, actor });
    await outcome;
    const { store } = engine;
    const late = { run: runId, seq: 5, type: 'run.failed', body: '{}', digest: 'x' };
    const receipt = await store.read((tx) => tx.db.selectFrom('receipt').selectAll().executeTakeFirstOrThrow());
    const { id: _, ...again } = { ...receipt, body: '{}' };
    const deeds = {
      follows: () => store.write((tx) => tx.db.insertInto('run_event').values(late).execute()),
      reopens: () => store.write((tx) => tx.db.updateTable('run').set({ state: 'running' }).execute()),
      changes: () => store.write((tx) => tx.db.updateTable('run_event').set({ body: '{}' }).execute()),
      deletes: () => store.write((tx) => tx.db.deleteFrom('run_event').execute()),
      receives: () => store.write((tx) => tx.db.insertInto('receipt').values(again).execute()),
      rewrites: () => store.write((tx) => tx.db.updateTable('receipt').set({ body: '{}' }).execute()),
      forgets: () => store.write((tx) => tx.db.deleteFrom('receipt').execute()),
      removes: () => store.write((tx) => tx.db.deleteFrom('run').execute()),
    };
    const codes: Record<string, unknown> = {};
    for (const [name, deed] of Object.entries(deeds)) {
      codes[name] = await deed().then(
        () => 'nothing refused it',
        (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
      );
    }
    expect(codes).toEqual({
      follows: 'ledger_closed',
      reopens: 'invalid_transition',
      changes: 'store_immutable',
      deletes: 'store_immutable',
      receives: 'receipt_conflict',
      rewrites: 'store_immutable',
      forgets: 'store_immutable',
      removes: 'store_immutable',
    });
    const held = await runs.start({ workflow: 'one', input: 'held', actor });
    await store.write((tx) =>
      tx.db.updateTable('run').set({ epoch: 2, holder: null }).where('id', '=', held.runId).execute(),
    );
    gate.resolve();
    await expect(held.outcome).rejects.toMatchObject({ code: 'stale_epoch' });
  });
});
