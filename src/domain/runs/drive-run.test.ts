import { expect, test, vi } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import { driveToEnd } from './drive-run.ts';
import { requestRun } from './requests.ts';
import { showRun } from './show-run.ts';
import { openTestWorld, type TestProcess } from './testing/engine.ts';
import { testWorkflows } from './testing/workflows.ts';

const sleeping = defineWorkflow('sleeping', { snapshot: 'none' }, async (run) => {
  const before = await run.step('before', {}, () => 1);
  await run.sleep('nap', 1_100);
  return await run.step('after', { before }, () => before + 1);
});
const workflows = [...testWorkflows, sleeping];

async function start(process: TestProcess, workflow: string) {
  const { runId, outcome } = await process.runs.start({ workflow, input: null, actor: 'me' });
  return { runId: parseId('run', runId), outcome };
}

async function untilWaiting(process: TestProcess, runId: RunId): Promise<void> {
  await vi.waitFor(async () => expect(await showRun(process.engine, runId)).toMatchObject({ state: 'waiting' }), 5_000);
}

const approval = { kind: 'approve', step: 'ship', comment: null } as const;

test('R42 a driven run that waits for an approval goes on when another process gives it', async () => {
  await using world = await openTestWorld({ workflows });
  const [driver, other] = [await world.start(), await world.start()];
  const { runId, outcome } = await start(driver, 'approving');
  const end = driveToEnd(driver.runs, driver.engine, runId, outcome, { actor: 'me' });
  await untilWaiting(other, runId);
  await requestRun(other.engine, runId, approval, { actor: 'you' });
  expect(await end).toEqual({ kind: 'finished', state: 'succeeded' });
  expect(await showRun(other.engine, runId)).toMatchObject({ output: 'done' });
});

test('R20 a driven run that sleeps is gone on with when its time has come, without a lease while it sleeps', async () => {
  await using world = await openTestWorld({ workflows });
  const [driver, other] = [await world.start(), await world.start()];
  const { runId, outcome } = await start(driver, 'sleeping');
  const end = driveToEnd(driver.runs, driver.engine, runId, outcome, { actor: 'me' });
  await untilWaiting(other, runId);
  expect((await showRun(other.engine, runId)).holder).toBeNull();
  expect(await end).toEqual({ kind: 'finished', state: 'succeeded' });
  expect((await showRun(other.engine, runId)).output).toBe(2);
});

test('R42 a driven run that another process cancels, pauses or takes over while it waits ends the drive', async () => {
  await using world = await openTestWorld({ workflows });
  const [driver, other] = [await world.start(), await world.start()];
  const waiting = async () => {
    const { runId, outcome } = await start(driver, 'approving');
    const end = driveToEnd(driver.runs, driver.engine, runId, outcome, { actor: 'me' });
    await untilWaiting(other, runId);
    return { runId, end };
  };
  const canceled = await waiting();
  await requestRun(other.engine, canceled.runId, { kind: 'cancel', comment: null }, { actor: 'you' });
  expect(await canceled.end).toEqual({ kind: 'finished', state: 'canceled' });

  const paused = await waiting();
  await requestRun(other.engine, paused.runId, { kind: 'pause' }, { actor: 'you' });
  expect(await paused.end).toEqual({ kind: 'paused' });

  const left = new AbortController();
  const { runId, outcome } = await start(driver, 'approving');
  const end = driveToEnd(driver.runs, driver.engine, runId, outcome, { actor: 'me', signal: left.signal });
  await untilWaiting(other, runId);
  left.abort();
  expect(await end).toEqual({ kind: 'left' });
  expect(await showRun(other.engine, runId)).toMatchObject({ state: 'waiting' });
});

test('R21 a run that another living process took is not taken from it', async () => {
  const gate = Promise.withResolvers<number>();
  const gated = defineWorkflow('gated', { snapshot: 'none' }, async (run) => {
    await run.approval('ship', { prompt: 'Ship it?' });
    return await run.step('long', {}, () => gate.promise);
  });
  await using world = await openTestWorld({ workflows: [gated] });
  const [driver, other] = [await world.start(), await world.start()];
  const { runId, outcome } = await start(driver, 'gated');
  await outcome;
  await requestRun(other.engine, runId, approval, { actor: 'you' });
  const taken = await other.runs.resume(runId, { actor: 'you' });
  expect(await driveToEnd(driver.runs, driver.engine, runId, outcome, { actor: 'me' })).toMatchObject({
    kind: 'held',
    holder: { instance: other.engine.host.self.instance },
  });
  gate.resolve(1);
  expect(await taken.outcome).toMatchObject({ state: 'succeeded' });
  expect(await driveToEnd(driver.runs, driver.engine, runId, null, { actor: 'me' })).toEqual({
    kind: 'finished',
    state: 'succeeded',
  });
});

test('R20 a run whose other holder died is taken on by the drive', async () => {
  await using world = await openTestWorld({ workflows });
  const [first, second] = [await world.start(), await world.start()];
  const { runId, outcome } = await start(first, 'sleeping');
  await outcome;
  first.die();
  expect(await driveToEnd(second.runs, second.engine, runId, null, { actor: 'me' })).toEqual({
    kind: 'finished',
    state: 'succeeded',
  });
});
