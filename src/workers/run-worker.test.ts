import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { bothStores, dropDatabases } from '../../test/support/both-stores.ts';
import { eventually } from '../../test/support/eventually.ts';
import { inState, settled, stateOf } from '../../test/support/run-states.ts';
import { defineWorkflow } from '../contract/define.ts';
import { WaybillError } from '../contract/errors.ts';
import type { RunId } from '../contract/ids.ts';
import { enqueueRun } from '../domain/runs/queue/enqueue-run.ts';
import { queueCounts } from '../domain/runs/queue/queue-counts.ts';
import { requestRun } from '../domain/runs/requests.ts';
import { openTestWorld } from '../domain/runs/testing/engine.ts';
import { eventsOf } from '../domain/runs/testing/look.ts';
import { systemClock } from '../platform/clock/clock.ts';
import type { Store } from '../platform/store/store.ts';
import { mostDeaths } from './run-worker-verdict.ts';
import { Gate } from './testing/gate.ts';
import { allRuns, ledgerFaults } from './testing/run-facts.ts';
import { startWorking, submitTo } from './testing/working-process.ts';

afterAll(dropDatabases);
const actor = 'me';

describe.each(bothStores)('a worker on %s', (_, where) => {
  test('D7 a queued run that is canceled is never started, and canceling it twice equals once', async () => {
    const gate = new Gate();
    gate.open();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const submitter = await world.start();
    const runId = await submitTo(submitter, { workflow: 'gated' });
    const cancel = () => requestRun(submitter.engine, runId, { kind: 'cancel', comment: 'no' }, { actor });
    expect(await cancel()).toMatchObject({ outcome: 'done', state: 'canceled' });
    const events = await eventsOf(submitter, runId);
    expect(await cancel()).toMatchObject({ outcome: 'unchanged', state: 'canceled' });
    expect(await eventsOf(submitter, runId)).toEqual(events);
    const other = await submitTo(submitter, { workflow: 'gated', input: 'other' });
    const { worker } = await startWorking(world);
    await inState(submitter, other, 'succeeded');
    expect(gate.began).toEqual(['other']);
    expect((await eventsOf(submitter, runId)).map(({ type }) => type)).not.toContain('run.started');
    expect(worker.statistics.held).toBe(0);
  });

  test('D7 a run at work that is canceled from another process ends at once, and its place is free', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const { worker, reported } = await startWorking(world, { concurrency: 1 });
    const submitter = await world.start();
    const runId = await submitTo(submitter, { workflow: 'gated', input: 'first' });
    await eventually('it is at work', () => (gate.atWork === 1 ? true : undefined));
    const cancel = () => requestRun(submitter.engine, runId, { kind: 'cancel', comment: null }, { actor });
    const answers = await Promise.all([cancel(), cancel()]);
    expect(answers.map(({ state }) => state)).toEqual(['canceled', 'canceled']);
    gate.open();
    await submitTo(submitter, { workflow: 'gated', input: 'second' });
    await settled(submitter);
    expect(gate.began).toEqual(['first', 'second']);
    const types = (await eventsOf(submitter, runId)).map(({ type }) => type);
    expect(types.filter((type) => type === 'run.canceled')).toHaveLength(1);
    expect(types.at(-1)).toBe('run.canceled');
    expect(reported).toEqual([]);
    await worker.drain(0);
  });

  test('D9 the run of a worker on another machine is left to it until its lease has run out', async () => {
    const gate = new Gate();
    let ahead = 0;
    const clock = { now: () => systemClock.now() + ahead };
    const self = { pid: 1, startTime: '1', bootId: 'b', host: 'elsewhere', instance: 'one' };
    const host = { self, liveness: () => 'unknown' as const };
    const workflows = [gate.workflow()];
    await using world = await openTestWorld({ workflows, clock, host, ...(await where()) });
    const lost = await startWorking(world);
    const runId = await submitTo(lost, { workflow: 'gated' });
    await eventually('it is at work', () => (gate.atWork === 1 ? true : undefined));
    lost.die();
    gate.open();
    Object.assign(host, { self: { ...self, pid: 2, instance: 'two' } });
    const other = await startWorking(world);
    await delay(1_500);
    expect(await stateOf(other, runId)).toBe('running');
    expect(gate.began).toHaveLength(1);
    ahead = 16_000_000;
    await inState(other, runId, 'succeeded');
    expect(gate.began).toHaveLength(2);
    const resumed = (await eventsOf(other, runId)).find(({ type }) => type === 'run.resumed');
    expect(resumed?.data).toMatchObject({ previousHolder: { pid: 1, host: 'elsewhere' } });
  });

  test('a run that waits is gone on with by the worker, woken by the time, by an answer and by a signal', async () => {
    const waits = defineWorkflow('waits', { snapshot: 'none' }, async (run) => {
      await run.sleep('rest', 1_200);
      const answer = await run.approval('ship', { prompt: 'Ship it?' });
      const signal = await run.signal('go');
      return { approved: answer.approved, signal };
    });
    await using world = await openTestWorld({ workflows: [waits], ...(await where()) });
    const { worker, reported } = await startWorking(world, { concurrency: 2 });
    const asker = await world.start();
    const runId = await submitTo(asker, { workflow: 'waits' });
    const waitsFor = (what: string) =>
      eventually(`it waits for ${what}`, async () => {
        const [pending] = await asker.engine.store.read((tx) =>
          tx.db.selectFrom('pending_step').select('waiting_for').where('run', '=', runId).execute(),
        );
        return pending?.waiting_for === what && (await stateOf(asker, runId)) === 'waiting' ? true : undefined;
      });
    await waitsFor('approval');
    // Nothing of it is kept in a process meanwhile.
    await eventually('its place is free', () => (worker.statistics.held === 0 ? true : undefined));
    await requestRun(asker.engine, runId, { kind: 'approve', step: 'ship', comment: null }, { actor });
    await waitsFor('signal');
    await requestRun(asker.engine, runId, { kind: 'signal', name: 'go', payload: { n: 1 } }, { actor });
    await settled(asker);
    const [run] = await allRuns(asker.engine.store);
    expect(JSON.parse(run?.output ?? '')).toEqual({ approved: true, signal: { n: 1 } });
    expect(reported).toEqual([]);
  });

  test('a run whose code changed is set aside with the code, and goes on once somebody mends that and resumes it', async () => {
    const gate = new Gate();
    const other = defineWorkflow('gated', { snapshot: 'none' }, (run) => run.step('another', {}, () => 1));
    await using world = await openTestWorld(await where());
    const first = await startWorking(world, { workflows: [gate.workflow()] });
    const runId = await submitTo(first, { workflow: 'gated' });
    await eventually('it is at work', () => (gate.atWork === 1 ? true : undefined));
    const changed = defineWorkflow('gated', { snapshot: 'none' }, async (run, input) => {
      await run.step('work', {}, () => String(input));
      return run.step('after', {}, () => 'done');
    });
    gate.open();
    await settled(first);
    expect(await stateOf(first, runId)).toBe('succeeded');
    // Now one whose first step is recorded and that is left before its second.
    const stuck = defineWorkflow('gated', { snapshot: 'none' }, async (run) => {
      await run.step('work', {}, () => 'null');
      return run.step('after', {}, () => new Promise<string>(() => {}));
    });
    await first.worker.drain(0);
    const second = await startWorking(world, { workflows: [stuck] });
    const left = await submitTo(second, { workflow: 'gated' });
    await eventually('its first step is recorded', async () =>
      (await allRuns(second.engine.store)).find(({ id }) => id === left)?.receipts.length === 1 ? true : undefined,
    );
    second.die();
    const third = await startWorking(world, { workflows: [other] });
    await eventually('it is set aside', async () =>
      (await queueCounts(third.engine.store)).parked === 1 ? true : undefined,
    );
    expect(third.reported).toMatchObject([{ error: { code: 'nondeterministic_workflow' }, runId: left }]);
    await third.worker.drain(0);
    const fourth = await startWorking(world, { workflows: [changed] });
    await delay(100);
    expect(await queueCounts(fourth.engine.store)).toMatchObject({ queued: 0, running: 0, parked: 1 });
    await enqueueRun(fourth.engine, left, { actor, acceptDrift: false });
    await inState(fourth, left, 'succeeded');
    expect(fourth.reported).toEqual([]);
  });

  test('a run that ends every daemon that takes it is set aside in the end, unless it got on between them', async () => {
    const gate = new Gate();
    let steps = 1;
    // Each daemon of the second run gets one step further than the one before it.
    const creeps = defineWorkflow('creeps', { snapshot: 'none' }, async (run) => {
      for (let step = 1; step <= steps; step++) await run.step(`step ${step}`, {}, () => step);
      return run.step('hangs', { steps }, () => new Promise<null>(() => {}));
    });
    await using world = await openTestWorld({ workflows: [gate.workflow(), creeps], ...(await where()) });
    const asker = await world.start();
    const poison = await submitTo(asker, { workflow: 'gated' });
    const slow = await submitTo(asker, { workflow: 'creeps' });
    const receiptsOf = async (runId: RunId) =>
      (await allRuns(asker.engine.store)).find(({ id }) => id === runId)?.receipts.length;
    for (let deaths = 1; deaths <= mostDeaths; deaths++) {
      const doomed = await startWorking(world);
      await eventually(`daemon ${deaths} is at work`, async () =>
        gate.began.length === deaths && (await receiptsOf(slow)) === steps ? true : undefined,
      );
      doomed.die();
      steps += 1;
    }
    const last = await startWorking(world);
    await eventually('it is set aside', async () =>
      (await queueCounts(asker.engine.store)).parked === 1 && (await receiptsOf(slow)) === steps ? true : undefined,
    );
    expect(last.reported).toMatchObject([
      { error: { code: 'internal', details: { failures: mostDeaths } }, runId: poison },
    ]);
    expect(gate.began).toHaveLength(mostDeaths);
    // Somebody mended it: from here it is counted anew.
    gate.open();
    await enqueueRun(asker.engine, poison, { actor, acceptDrift: false });
    await inState(asker, poison, 'succeeded');
    expect(last.reported).toHaveLength(1);
  });

  test('a run of a workflow that this worker does not know is set aside, not failed', async () => {
    const gate = new Gate();
    gate.open();
    await using world = await openTestWorld(await where());
    const submitter = await world.start({ workflows: [gate.workflow()] });
    const runId = await submitTo(submitter, { workflow: 'gated' });
    const { reported, worker } = await startWorking(world, { workflows: [] });
    await eventually('it is set aside', async () =>
      (await queueCounts(submitter.engine.store)).parked === 1 ? true : undefined,
    );
    expect(reported).toMatchObject([{ error: { code: 'workflow_not_found' }, runId }]);
    await worker.drain(0);
    await startWorking(world, { workflows: [gate.workflow()] });
    await enqueueRun(submitter.engine, runId, { actor, acceptDrift: false });
    await settled(submitter);
    expect(gate.began).toHaveLength(1);
  });

  test('a run that was paused rests until somebody resumes it, whether it was at work, slept, or had lost its worker', async () => {
    const gate = new Gate();
    const sleeps = defineWorkflow('sleeps', { snapshot: 'none' }, async (run) => {
      await run.sleep('rest', 1_500);
      return 'awake';
    });
    await using world = await openTestWorld({ workflows: [gate.workflow(), sleeps], ...(await where()) });
    const doomed = await startWorking(world);
    const asker = await world.start();
    const pause = (runId: RunId) => requestRun(asker.engine, runId, { kind: 'pause' }, { actor });
    const orphan = await submitTo(asker, { workflow: 'gated', input: 'orphan' });
    await eventually('it is at work', () => (gate.atWork === 1 ? true : undefined));
    doomed.die();
    expect(await pause(orphan)).toMatchObject({ outcome: 'done', state: 'waiting' });
    const { reported } = await startWorking(world);
    const sleeper = await submitTo(asker, { workflow: 'sleeps' });
    await inState(asker, sleeper, 'waiting');
    expect(await pause(sleeper)).toMatchObject({ outcome: 'done', state: 'waiting' });
    const worked = await submitTo(asker, { workflow: 'gated', input: 'worked on' });
    await eventually('it is at work too', () => (gate.began.length === 2 ? true : undefined));
    const paused = pause(worked);
    await delay(150);
    gate.open();
    expect(await paused).toMatchObject({ outcome: 'done' });
    // Longer than the sleep, and than the worker's own look.
    await delay(2_000);
    for (const runId of [orphan, sleeper, worked]) expect(await stateOf(asker, runId)).toBe('waiting');
    for (const runId of [orphan, sleeper, worked]) await enqueueRun(asker.engine, runId, { actor, acceptDrift: false });
    await settled(asker);
    for (const runId of [orphan, sleeper, worked]) expect(await stateOf(asker, runId)).toBe('succeeded');
    expect(gate.began).toEqual(['orphan', 'worked on', 'orphan']);
    expect(reported).toEqual([]);
  });

  test('what fails for a reason that may pass is tried again later and later, and set aside after eight times', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.02);
    onTestFinished(() => void vi.restoreAllMocks());
    const listing = defineWorkflow('listing', (run) => run.step('work', {}, () => 'done'));
    await using world = await openTestWorld({ workflows: [listing], ...(await where()) });
    const { engine, reported, worker, ...process } = await startWorking(world, { concurrency: 1 });
    const capture = engine.snapshots.capture;
    const fails = { left: 3, times: 0 };
    Object.assign(engine.snapshots, {
      capture: async (...request: Parameters<typeof capture>) => {
        if (fails.left === 0) return capture(...request);
        fails.left -= 1;
        fails.times += 1;
        throw new WaybillError('snapshot_failed', 'the disk is busy');
      },
    });
    const asker = { ...process, engine };
    const passing = await submitTo(asker, { workflow: 'listing' });
    await inState(asker, passing, 'succeeded');
    expect(fails.times).toBe(3);
    expect(reported.map(({ runId }) => runId)).toEqual([passing, passing, passing]);
    expect(reported).toMatchObject(Array(3).fill({ error: { code: 'snapshot_failed' } }));
    fails.left = 1000;
    const lasting = await submitTo(asker, { workflow: 'listing' });
    await eventually(
      'it is set aside',
      async () => ((await queueCounts(engine.store)).parked === 1 ? true : undefined),
      20_000,
    );
    expect(fails.times).toBe(3 + 8);
    expect(await stateOf(asker, lasting)).toBe('queued');
    expect(worker.statistics.held).toBe(0);
    fails.left = 0;
    await enqueueRun(engine, lasting, { actor, acceptDrift: false });
    await inState(asker, lasting, 'succeeded');
    expect(reported).toHaveLength(11);
  });

  test('a place in the queue is not lost when the store fails just as a run is put back', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const process = await startWorking(world, { concurrency: 1 });
    const runId = await submitTo(process, { workflow: 'gated' });
    await eventually('it is at work', () => (gate.atWork === 1 ? true : undefined));
    const store: { submit: Store['submit'] } = process.engine.store;
    const submit = store.submit;
    let refused = 0;
    store.submit = () => {
      refused += 1;
      return Promise.reject(new WaybillError('store_unavailable', 'the store is down'));
    };
    gate.open();
    // Its receipt, its lease and its place are refused, then its place again.
    await eventually('putting it back was tried again', () => (refused >= 5 ? true : undefined), 20_000);
    expect(process.worker.statistics.held).toBe(1);
    store.submit = submit;
    await inState(process, runId, 'succeeded');
    expect(gate.began).toHaveLength(2);
    expect(process.reported).toMatchObject([{ error: { code: 'store_unavailable' }, runId }]);
    expect(ledgerFaults(await allRuns(process.engine.store))).toEqual([]);
  });

  test('a store that is down for a while costs one report an outage, and no run', async () => {
    const gate = new Gate();
    gate.open();
    const outage = { down: false, refused: 0 };
    const { openStore } = await where();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(openStore ? { openStore } : {}) });
    const process = await startWorking(world, { concurrency: 4 });
    await submitTo(process, { workflow: 'gated', input: 'before' });
    await settled(process);
    const refuse = () => {
      outage.refused += 1;
      return Promise.reject(new WaybillError('store_unavailable', 'the store is down'));
    };
    const mutable: Record<'read' | 'write' | 'select' | 'submit' | 'locked', unknown> = process.engine.store;
    const original = { ...process.engine.store };
    for (const name of ['read', 'write', 'select', 'submit', 'locked'] as const) mutable[name] = refuse;
    await eventually('it was refused more than once', () => (outage.refused >= 3 ? true : undefined), 20_000);
    expect(process.reported).toMatchObject([{ error: { code: 'store_unavailable' }, runId: null }]);
    expect(process.worker.statistics.trouble).toMatchObject({ code: 'store_unavailable' });
    Object.assign(mutable, original);
    await submitTo(process, { workflow: 'gated', input: 'after' });
    await settled(process);
    expect(process.worker.statistics.trouble).toBeNull();
    expect(process.reported).toHaveLength(1);
    expect(gate.began).toEqual(['before', 'after']);
  });
});
