import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../test/support/both-stores.ts';
import { eventually } from '../../test/support/eventually.ts';
import { settled, stateOf } from '../../test/support/run-states.ts';
import { claimRuns } from '../domain/runs/queue/claim-runs.ts';
import { queueCounts } from '../domain/runs/queue/queue-counts.ts';
import { openTestWorld } from '../domain/runs/testing/engine.ts';
import type { Store } from '../platform/store/store.ts';
import { Gate } from './testing/gate.ts';
import { allRuns, ledgerFaults } from './testing/run-facts.ts';
import { startWorking, submitTo } from './testing/working-process.ts';

afterAll(dropDatabases);

describe.each(bothStores)('the limits of workers on %s', (_, where) => {
  test('D5 never more runs are at work than there are places, nor more of a tool than its limit on the whole store', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const options = { concurrency: 3, toolLimits: { scarce: 2 } };
    const workers = [await startWorking(world, options), await startWorking(world, options)];
    const [first] = workers;
    if (first === undefined) throw new Error('no worker');
    const scarce = Array.from({ length: 8 }, (_, index) =>
      submitTo(first, { workflow: 'gated', input: `scarce ${index}`, tool: 'scarce', priority: 1 }),
    );
    const plain = Array.from({ length: 8 }, (_, index) =>
      submitTo(first, { workflow: 'gated', input: `plain ${index}` }),
    );
    await Promise.all([...scarce, ...plain]);
    await eventually('all places are taken', () => (gate.atWork === 6 ? true : undefined), 20_000);
    // Those of the tool go first and still leave the other places to what may use them.
    expect(gate.began.filter((name) => name.startsWith('scarce'))).toHaveLength(2);
    expect(await queueCounts(first.engine.store)).toEqual({ queued: 10, running: 6, resting: 0, parked: 0 });
    for (let gone = 0; gone < 16; gone++) {
      await eventually('one more is at work', () => (gate.atWork > 0 ? true : undefined), 20_000);
      gate.letOneGo();
      await delay(5);
    }
    gate.open();
    await settled(first);
    expect(gate.most).toBe(6);
    expect(gate.mostScarce).toBe(2);
    expect(gate.began).toHaveLength(16);
    expect(ledgerFaults(await allRuns(first.engine.store))).toEqual([]);
  });

  test('D5 the last place of a tool goes to one worker, also when another one looked before it was taken', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const [slow, quick] = [await world.start(), await world.start()];
    const limits = { most: 3, tools: new Map([['scarce', 1]]) };
    const first = await submitTo(quick, { workflow: 'gated', tool: 'scarce' });
    const [looked, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const submit = slow.engine.store.submit.bind(slow.engine.store);
    Object.assign(slow.engine.store, {
      submit: async (...operation: Parameters<Store['submit']>) => {
        looked.resolve();
        await taken.promise;
        return submit(...operation);
      },
    });
    const late = claimRuns(slow.engine, limits);
    await looked.promise;
    const urgent = await submitTo(quick, { workflow: 'gated', tool: 'scarce', priority: 9 });
    expect((await claimRuns(quick.engine, limits)).map(({ runId }) => runId)).toEqual([urgent]);
    taken.resolve();
    expect(await late).toEqual([]);
    expect(await stateOf(quick, first)).toBe('queued');
  });

  test('D5 what has the higher priority goes first, then what is older; a full queue refuses', async () => {
    const gate = new Gate();
    await using world = await openTestWorld({ workflows: [gate.workflow()], ...(await where()) });
    const submitter = await world.start();
    const submit = (input: string, priority: number) => submitTo(submitter, { workflow: 'gated', input, priority }, 5);
    for (const [input, priority] of [
      ['low, old', 0],
      ['low, young', 0],
      ['high, old', 7],
      ['negative', -3],
      ['high, young', 7],
    ] as const) {
      await submit(input, priority);
    }
    await expect(submit('one too many', 9)).rejects.toMatchObject({ code: 'queue_full' });
    gate.open();
    const { worker } = await startWorking(world, { concurrency: 1 });
    await settled(submitter);
    expect(gate.began).toEqual(['high, old', 'high, young', 'low, old', 'low, young', 'negative']);
    await submit('there is room again', 0);
    await settled(submitter);
    expect((await worker.drain(1_000)).failed).toBe(0);
  });
});
