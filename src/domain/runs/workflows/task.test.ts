import { expect, test } from 'vitest';
import type { JsonObject } from '../../../contract/json.ts';
import type { AgentCommand } from '../ports.ts';
import { openTestWorld } from '../testing/engine.ts';
import { taskWorkflow } from './task.ts';

const actor = 'me';

const taskInput = (changes: JsonObject = {}): JsonObject => ({
  tasks: [{ id: 'T-1', title: 'A task', goal: 'Do it' }],
  roles: { builder: 'builder', reviewer: 'reviewer', specMaintainer: 'spec' },
  maxIterations: 3,
  ...changes,
});

const tested = { tests: { passed: 1, failed: 0 } };

function team(parts: { builder?: JsonObject; reviews?: number; specs?: number }, log: AgentCommand[] = []) {
  const answer = (outputs: (command: AgentCommand) => JsonObject) => async (command: AgentCommand) => {
    log.push(command);
    return { outputs: outputs(command), artifacts: [] };
  };
  const left = { reviews: parts.reviews ?? 0, specs: parts.specs ?? 0 };
  return {
    builder: answer(() => parts.builder ?? tested),
    reviewer: answer(() =>
      left.reviews-- > 0 ? { verdict: 'changes_requested', findings: [{ say: 'rename it' }] } : { verdict: 'approved' },
    ),
    spec: answer(() =>
      left.specs-- > 0 ? { verdict: 'changes_requested', findings: ['say why'] } : { verdict: 'updated' },
    ),
  };
}

test.each([
  { reviews: 0, specs: 0, expected: 'implement review update_spec' },
  { reviews: 2, specs: 0, expected: 'implement review implement_changes review implement_changes review update_spec' },
  { reviews: 0, specs: 1, expected: 'implement review update_spec implement_changes review update_spec' },
])(
  'R14 task with $reviews reviews and $specs spec updates that ask for changes',
  async ({ reviews, specs, expected }) => {
    const log: AgentCommand[] = [];
    await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ reviews, specs }, log) });
    const { runs } = await world.start();
    const { outcome } = await runs.start({ workflow: 'task', input: taskInput(), tasks: ['T-1'], actor });
    expect(await outcome).toMatchObject({ state: 'succeeded' });
    expect(log.map((command) => command.action).join(' ')).toBe(expected);
    const second = log.find((command) => command.action === 'implement_changes');
    if (reviews + specs > 0)
      expect(second?.inputs.findings).toEqual(reviews > 0 ? [{ say: 'rename it' }] : ['say why']);
    // R3 each pass has a key of its own.
    expect(new Set(log.map((command) => command.idempotencyKey)).size).toBe(log.length);
  },
);

test('R14 maxIterations ends the run as failed with a code', async () => {
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ reviews: 99 }) });
  const { runs } = await world.start();
  const { outcome } = await runs.start({ workflow: 'task', input: taskInput(), tasks: ['T-1'], actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { code: 'max_iterations' } });
});

test.each([
  [{}, {}, 'test_result_missing'],
  [{ tests: 'all fine' }, {}, 'test_result_malformed'],
  [{ tests: { passed: 1, failed: 1, failures: ['parser'] } }, {}, 'tests_failed'],
  [{ tests: { passed: 1, failed: 1 } }, { allowedFailures: ['parser'] }, 'tests_failed'],
])('R15 a builder that answers %j fails the step', async (builder, changes, code) => {
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ builder }) });
  const { runs, failures } = await world.start();
  const { outcome } = await runs.start({ workflow: 'task', input: taskInput(changes), tasks: ['T-1'], actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { code } });
  expect(failures).toMatchObject([{ code, step: 'implement' }]);
});

test('R15 declared failures are allowed to fail', async () => {
  const builder = { tests: { passed: 1, failed: 1, failures: ['parser'] } };
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ builder }) });
  const { runs } = await world.start();
  const { outcome } = await runs.start({
    workflow: 'task',
    input: taskInput({ allowedFailures: ['parser'] }),
    tasks: ['T-1'],
    actor,
  });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
});

test('R38 R20 several tasks run in order in one run, and a crash in the second resumes there', async () => {
  const log: AgentCommand[] = [];
  const tasks = ['T-1', 'T-2', 'T-3'].map((id) => ({ id, title: id, goal: 'Do it' }));
  const stuck = Promise.withResolvers<void>();
  await using world = await openTestWorld({ workflows: [taskWorkflow] });
  const whole = team({}, log);
  const hanging = {
    ...whole,
    reviewer: async (command: AgentCommand) => {
      if (command.task !== 'T-2') return whole.reviewer(command);
      stuck.resolve();
      return new Promise<never>(() => {});
    },
  };
  const first = await world.start({ agents: hanging });
  const { runId } = await first.runs.start({
    workflow: 'task',
    input: taskInput({ tasks }),
    tasks: tasks.map((task) => task.id),
    actor,
  });
  await stuck.promise;
  first.die();
  const second = await world.start({ agents: whole });
  expect(await (await second.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  expect(log.map((command) => `${command.task} ${command.action}`)).toEqual(
    tasks.flatMap(({ id }) => ['implement', 'review', 'update_spec'].map((action) => `${id} ${action}`)),
  );
});
