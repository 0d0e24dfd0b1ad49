import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import type { DecisionEngine } from '../../../contract/workflow.ts';
import { loadRun } from '../load-run.ts';
import { openTestWorld } from '../testing/engine.ts';

/** What plain JavaScript, or a cast, may hand us. */
function untyped<T>(value: unknown): T {
  return JSON.parse('0', () => value);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => 'none',
    (thrown: unknown) => thrown,
  );
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error);
}

test('R16 what has the wrong type is refused before it is recorded, and the run can still be read', async () => {
  const workflow = defineWorkflow('odd', { snapshot: 'none' }, async (run) => [
    await codeOf(run.step(untyped(5), {}, () => 1)),
    await codeOf(run.scope(untyped(7), (inner) => inner.step('in', {}, () => 1))),
    await codeOf(run.exec(untyped('ls'))),
    await codeOf(run.exec(untyped([]))),
    await codeOf(run.exec(untyped(['ls', 1]))),
    await codeOf(run.agent('quiet', { action: untyped(3), name: 'asked' })),
    await codeOf(run.agent('quiet', { action: 'look', accept: untyped(() => Promise.reject(new Error('late'))) })),
    await codeOf(
      run.decide(
        untyped<DecisionEngine>({ name: 'd', version: '1', decide: () => Promise.reject(new Error('late')) }),
        1,
      ),
    ),
    await run.each([1, 2], { key: String, concurrency: Number.NaN }, async (item) => item),
  ]);
  await using world = await openTestWorld({
    workflows: [workflow],
    agents: { quiet: async () => ({ outputs: {}, artifacts: [] }) },
  });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'odd', input: null, actor: 'me' });
  const refused = Array.from({ length: 6 }, () => 'invalid_argument');
  expect(await outcome).toMatchObject({
    state: 'succeeded',
    output: [...refused, 'check_failed', 'decision_failed', [1, 2]],
  });
  expect((await loadRun(engine.store, runId)).receipts).toHaveLength(2);
});

test('R42 an approval that times out while its workflow is busy elsewhere does not end the process', async () => {
  const workflow = defineWorkflow('busy', { snapshot: 'none' }, async (run) => {
    const asked = run.approval('ok', { prompt: 'Go on?', timeoutMs: 1 });
    await run.step('work', {}, () => new Promise<null>((resolve) => setTimeout(() => resolve(null), 100)));
    return codeOf(asked);
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const { runs } = await world.start();
  const { outcome } = await runs.start({ workflow: 'busy', input: null, actor: 'me' });
  expect(await outcome).toMatchObject({ state: 'succeeded', output: 'approval_timeout' });
});
