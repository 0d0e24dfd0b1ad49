import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { loadRun } from './load-run.ts';
import type { AgentCommand } from './ports.ts';
import { requestRun } from './requests.ts';
import { openTestWorld } from './testing/engine.ts';
import { eventsOf } from './testing/look.ts';

const actor = 'me';

test('R23 a change of the tree with no step in flight needs --accept-drift, and later keys use the new tree', async () => {
  const keys: AgentCommand[] = [];
  const workflow = defineWorkflow('drift', async (run) => {
    await run.agent('worker', { action: 'first' });
    await run.approval('go', { prompt: 'Go on?' });
    await run.agent('worker', { action: 'second' });
    return null;
  });
  const worker = async (command: AgentCommand) => {
    keys.push(command);
    return { outputs: {}, artifacts: [] };
  };
  await using world = await openTestWorld({ workflows: [workflow], agents: { worker } });
  const { runs, engine } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'drift', input: null, actor });
  await outcome;
  await writeFile(join(world.root, 'edited.txt'), 'by hand');
  await requestRun(engine, runId, { kind: 'approve', step: 'go', comment: null }, { actor });
  await expect(runs.resume(runId, { actor })).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining('edited.txt (added)'),
    hint: expect.stringContaining('--accept-drift'),
  });
  const accepted = await runs.resume(runId, { actor, acceptDrift: true });
  expect(await accepted.outcome).toMatchObject({ state: 'succeeded' });
  const { receipts } = await loadRun(engine.store, runId);
  const [first, , second] = receipts.map((each) => each.receipt);
  expect(first?.snapshot).not.toBe(second?.snapshot);
  expect(keys.map((command) => command.snapshot?.digest)).toEqual([first?.snapshot, second?.snapshot]);
});

test('R23 changes made while a step was in flight are listed as that attempt and do not stop the resume', async () => {
  const sent: AgentCommand[] = [];
  const half = Promise.withResolvers<void>();
  const workflow = defineWorkflow('halfway', async (run) => (await run.agent('worker', { action: 'edit' })).outputs);
  await using world = await openTestWorld({ workflows: [workflow] });
  const dying = async (command: AgentCommand) => {
    sent.push(command);
    await writeFile(join(world.root, 'half.txt'), 'half');
    half.resolve();
    return new Promise<never>(() => {});
  };
  const finishing = async (command: AgentCommand) => {
    sent.push(command);
    return { outputs: { done: true }, artifacts: [] };
  };
  const first = await world.start({ agents: { worker: dying } });
  const { runId } = await first.runs.start({ workflow: 'halfway', input: null, actor });
  await half.promise;
  first.die();
  const second = await world.start({ agents: { worker: finishing } });
  expect(await (await second.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  const interrupted = (await eventsOf(second, runId)).find((event) => event.type === 'attempt.interrupted');
  expect(interrupted?.data).toMatchObject({ changes: [{ path: 'half.txt', change: 'added' }], changed: 1 });
  expect(sent.map((command) => [command.attempt, command.resent])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect(sent[0]?.idempotencyKey).toBe(sent[1]?.idempotencyKey);
});
