import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import { verifyRun } from '../evidence/verify.ts';
import { requestRun } from '../requests.ts';
import { showRun } from '../show-run.ts';
import { openTestWorld } from '../testing/engine.ts';
import { claimRuns } from './claim-runs.ts';
import { queueCounts } from './queue-counts.ts';
import { submitRun } from './submit-run.ts';

const echo = defineWorkflow('echo', { snapshot: 'none' }, async (run, input: unknown) => {
  const said = await run.step('say', {}, () => JSON.stringify(input));
  return said;
});
const request = { workflow: 'echo', input: { a: 1 }, tasks: [], tool: null, priority: 0, actor: 'me' } as const;

test('a submitted run waits, is claimed, begun, and ends with its provenance', async () => {
  await using world = await openTestWorld({ workflows: [echo] });
  const { engine, runs } = await world.start();
  const { runId, created } = await submitRun(engine, { maxQueue: 10 }, request);
  expect(created).toBe(true);
  expect(await showRun(engine, runId)).toMatchObject({
    state: 'queued',
    provenance: null,
    startedAt: null,
    lastSeq: 1,
  });
  expect(await queueCounts(engine.store)).toEqual({ queued: 1, running: 0, resting: 0, parked: 0 });
  const [claimed] = await claimRuns(engine, { most: 5, tools: new Map() });
  if (claimed === undefined) throw new Error('nothing was claimed');
  expect(await claimRuns(engine, { most: 5, tools: new Map() })).toEqual([]);
  const held = await runs.work(claimed);
  expect(await held.outcome).toMatchObject({ kind: 'finished', state: 'succeeded', output: '{"a":1}' });
  expect(await showRun(engine, runId)).toMatchObject({
    state: 'succeeded',
    provenance: { workflow: { name: 'echo' } },
  });
  expect(await queueCounts(engine.store)).toEqual({ queued: 0, running: 0, resting: 0, parked: 0 });
});

test('a run canceled in the queue is never started, and its evidence holds', async () => {
  await using world = await openTestWorld({ workflows: [echo] });
  const { engine } = await world.start();
  const { runId } = await submitRun(engine, { maxQueue: 10 }, request);
  await requestRun(engine, runId, { kind: 'cancel', comment: null }, { actor: 'me' });
  expect(await showRun(engine, runId)).toMatchObject({ state: 'canceled', startedAt: null, provenance: null });
  expect(await claimRuns(engine, { most: 5, tools: new Map() })).toEqual([]);
  expect(await verifyRun(engine, runId)).toMatchObject({ intact: true });
});
