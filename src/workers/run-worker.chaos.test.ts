import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../test/support/both-stores.ts';
import { eventually } from '../../test/support/eventually.ts';
import { Random } from '../../test/support/random.ts';
import { defineWorkflow } from '../contract/define.ts';
import { parseId } from '../contract/ids.ts';
import type { AnyWorkflow } from '../contract/workflow.ts';
import { verifyRun } from '../domain/runs/evidence/verify.ts';
import { openTestWorld } from '../domain/runs/testing/engine.ts';
import { allRuns, ledgerFaults, openRuns } from './testing/run-facts.ts';
import { startWorking, submitTo, type WorkingProcess } from './testing/working-process.ts';

afterAll(dropDatabases);
const full = process.env.WAYBILL_TEST_FULL === '1';

/** What a function of a workflow really did, and in which process. */
interface Execution {
  readonly step: string;
  readonly process: string;
}

/** Three steps, of which one takes a moment, a rest that the worker has to end, and one more step. */
function countingWorkflow(process: string, executed: Execution[]): AnyWorkflow {
  return defineWorkflow('four', { snapshot: 'none' }, async (run, input) => {
    const step = (name: string) =>
      run.step(name, { input }, async () => {
        executed.push({ step: `${JSON.stringify(input)} ${name}`, process });
        await delay(3);
        return name;
      });
    await step('one');
    await Promise.all([step('left'), step('right')]);
    await run.sleep('rest', 1_050);
    return step('last');
  });
}

describe.each(bothStores)('workers on %s', (_, where) => {
  test('D9 of 100 queued runs, whose workers die at random times, each ends once and none is forgotten', {
    timeout: 180_000,
  }, async () => {
    const random = Random.printed('kills');
    await using world = await openTestWorld(await where());
    const executed: Execution[] = [];
    const dead = new Set<string>();
    const living: { readonly name: string; readonly process: WorkingProcess }[] = [];
    let started = 0;
    const another = async () => {
      const name = `process ${++started}`;
      living.push({ name, process: await startWorking(world, { workflows: [countingWorkflow(name, executed)] }) });
    };
    await Promise.all([another(), another(), another()]);
    const submitter = await world.start({ workflows: [countingWorkflow('submitter', executed)] });
    const count = full ? 400 : 100;
    const submitted = await Promise.all(
      Array.from({ length: count }, (_, index) => submitTo(submitter, { workflow: 'four', input: index })),
    );
    expect(new Set(submitted).size).toBe(count);

    const kills = full ? 40 : 12;
    while (dead.size < kills) {
      await delay(random.between(0, 120));
      const [victim] = living.splice(random.between(0, living.length - 1), 1);
      if (victim === undefined) throw new Error('nobody lives');
      victim.process.die();
      dead.add(victim.name);
      await another();
    }
    await eventually(
      'every run is finished',
      async () => ((await openRuns(submitter)) === 0 ? true : undefined),
      120_000,
    );
    await Promise.all(living.map(({ process }) => process.worker.drain(1_000)));

    const runs = await allRuns(submitter.engine.store);
    expect(runs).toHaveLength(count);
    expect(ledgerFaults(runs)).toEqual([]);
    for (const run of runs) {
      expect(run).toMatchObject({ state: 'succeeded', output: '"last"' });
      expect(run.receipts.toSorted()).toEqual(['last', 'left', 'one', 'rest', 'right']);
    }
    // An effect without a receipt may come again after a death; never beside the one who lives.
    const times = Map.groupBy(executed, ({ step }) => step);
    expect(times.size).toBe(count * 4);
    for (const [step, executions] of times) {
      const by = executions.map(({ process }) => process);
      expect(new Set(by).size, `${step} by ${by}`).toBe(by.length);
      expect(by.filter((name) => !dead.has(name)).length, `${step} by ${by}`).toBeLessThanOrEqual(1);
    }
    expect(runs.filter(({ epoch }) => epoch > 2).length).toBeGreaterThan(0);
    for (const { id } of runs.filter((_run, index) => index % 10 === 0)) {
      expect(await verifyRun(submitter.engine, parseId('run', id))).toMatchObject({ intact: true });
    }
    expect(living.flatMap(({ process }) => process.reported)).toEqual([]);
  });
});
