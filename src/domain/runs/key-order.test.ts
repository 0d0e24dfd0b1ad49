import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { requestRun } from './requests.ts';
import { openTestWorld } from './testing/engine.ts';

// Receipts are stored in canonical form, where keys are sorted. A workflow may print an object it got; what it prints
// must not depend on whether it got the object before or after the crash.
const printing = defineWorkflow('printing', { snapshot: 'none' }, async (run, input) => {
  const made = await run.step('make', {}, (): JsonObject => ({ z: 1, a: { y: 2, b: 3 } }));
  const details = await run
    .step('fail', {}, () => {
      throw new WaybillError('check_failed', 'no', { details: { z: 1, a: 2 } });
    })
    .catch((error: unknown) => (error instanceof WaybillError ? (error.details ?? {}) : {}));
  const { outputs, artifacts } = await run.agent('builder', { action: 'build' });
  await run.step('print', { printed: JSON.stringify({ input, made, details, outputs, artifacts }) }, () => null);
  await run.signal('stop');
  return null;
});

test('R19 a workflow that prints what it got prints the same when it is resumed', async () => {
  await using world = await openTestWorld({
    workflows: [printing],
    agents: { builder: async () => ({ outputs: { z: 1, a: { y: 2, b: 3 } }, artifacts: [] }) },
  });
  const first = await world.start();
  const input = { z: 1, a: { y: 2, b: 3 } };
  const { runId, outcome } = await first.runs.start({ workflow: 'printing', input, actor: 'me' });
  expect(await outcome).toMatchObject({ kind: 'waiting' });
  const second = await world.start();
  await requestRun(second.engine, runId, { kind: 'signal', name: 'stop', payload: null }, { actor: 'me' });
  const resumed = await second.runs.resume(runId, { actor: 'me' });
  expect(await resumed.outcome).toMatchObject({ kind: 'finished', state: 'succeeded' });
});
