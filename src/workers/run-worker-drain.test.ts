import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../test/support/both-stores.ts';
import { eventually } from '../../test/support/eventually.ts';
import { settled, stateOf } from '../../test/support/run-states.ts';
import { queueCounts } from '../domain/runs/queue/queue-counts.ts';
import { openTestWorld } from '../domain/runs/testing/engine.ts';
import { eventsOf } from '../domain/runs/testing/look.ts';
import type { Store } from '../platform/store/store.ts';
import { Gate } from './testing/gate.ts';
import { startWorking, submitTo } from './testing/working-process.ts';

afterAll(dropDatabases);
const actor = 'me';

describe.each(bothStores)('a worker that drains on %s', (_, where) => {
  test('D9 a drain lets finish what can, and hands over the rest to a worker that goes on at once', async () => {
    const [short, long] = [new Gate(), new Gate()];
    const workflows = [short.workflow('short'), long.workflow('long')];
    await using world = await openTestWorld({ workflows, ...(await where()) });
    const first = await startWorking(world);
    const quick = await submitTo(first, { workflow: 'short' });
    const slow = await submitTo(first, { workflow: 'long' });
    await eventually('both are at work', () => (short.atWork + long.atWork === 2 ? true : undefined));
    const drained = first.worker.drain(400);
    const late = await submitTo(first, { workflow: 'short', input: 'late' });
    short.open();
    expect(await drained).toEqual({ ended: 1, handedOver: 1, failed: 0 });
    expect(first.worker.statistics).toMatchObject({ held: 0, draining: true });
    expect(await stateOf(first, quick)).toBe('succeeded');
    expect(await stateOf(first, late)).toBe('queued');
    long.open();
    const second = await startWorking(world);
    await settled(second);
    expect(await stateOf(second, slow)).toBe('succeeded');
    expect((await eventsOf(second, slow)).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['run.interrupted', 'run.resumed', 'run.succeeded']),
    );
    expect(long.began).toHaveLength(2);
    expect(short.began).toHaveLength(2);
    expect([...first.reported, ...second.reported]).toEqual([]);
  });

  test('D9 a drain waits for a submit that is being written, and hands its run over', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const { worker, engine, reported } = await startWorking(world);
    const { store } = engine;
    const submit = store.submit.bind(store);
    const [writing, written] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const request = { workflow: 'gated', input: 'late', tasks: [], tool: null, priority: 0, actor };
    await eventually('the worker has looked', async () => {
      const { claimed } = await worker.submit({ ...request, input: 'early' });
      return claimed === null ? undefined : true;
    });
    // Nothing is at work any more: only the submit is left to wait for.
    await eventually('all that was early is done', () => {
      gate.letOneGo();
      return worker.statistics.held === 0 ? true : undefined;
    });
    Object.assign(store, {
      submit: async (...operation: Parameters<Store['submit']>) => {
        writing.resolve();
        await written.promise;
        return submit(...operation);
      },
    });
    const submitting = worker.submit(request);
    await writing.promise;
    const draining = worker.drain(0);
    await delay(50);
    written.resolve();
    const { runId } = await submitting;
    await draining;
    expect(worker.statistics.held).toBe(0);
    const [row] = await store.read((tx) =>
      tx.db.selectFrom('run').select(['state', 'holder']).where('id', '=', runId).execute(),
    );
    expect(row).toEqual({ state: expect.stringMatching(/queued|running/), holder: null });
    expect((await queueCounts(store)).running).toBe(0);
    expect(reported).toEqual([]);
    gate.open();
    const second = await startWorking(world);
    await settled(second);
    expect(await stateOf(second, runId)).toBe('succeeded');
  });

  test('D9 a second drain waits for nothing any more', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const { worker, engine } = await startWorking(world);
    await submitTo({ ...(await world.start()), engine }, { workflow: 'gated' });
    await eventually('it is at work', () => (gate.atWork === 1 ? true : undefined));
    const first = worker.drain(3_600_000);
    const second = worker.drain(0);
    expect(await Promise.all([first, second])).toEqual([
      { ended: 0, handedOver: 1, failed: 0 },
      { ended: 0, handedOver: 1, failed: 0 },
    ]);
  });
});
