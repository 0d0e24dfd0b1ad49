import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { RunState } from '../src/contract/evidence.ts';
import { substance } from './support/crash-until-done.ts';
import { mockAgent, nodeAgent, taskWorkspace } from './support/task-agents.ts';
import { linesOf, makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// Runs that were cut off at a chosen place, and how they go on.
vi.setConfig({ testTimeout: 120_000 });

test('R20 a crash in task 2 of 3 resumes at task 2 and still does the rest', async () => {
  const tasks = ['A', 'B', 'C'];
  await using workspace = await makeWorkspace(taskWorkspace(tasks, { loops: false }));
  const named = tasks.flatMap((task) => ['--task', task]);
  const runner = workspace.start(['run', ...named, '--json']);
  await runner.line((line) => /"type":"attempt.started"/.test(line) && /"scope":\["B"\]/.test(line));
  runner.kill('SIGKILL');
  await runner.finished;
  const runId = workspace.onlyRun() ?? '';
  const ofTask = async (task: string) => (await workspace.receipts(runId)).filter((receipt) => receipt.task === task);
  const doneBefore = await ofTask('A');
  expect(doneBefore.map(({ action }) => action)).toEqual(['implement', 'review', 'update_spec']);
  const effectsBefore = await workspace.effects();
  const resumed = await workspace.waybill(['resume', runId]);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await ofTask('A')).toEqual(doneBefore);
  const keysOfA = new Set<string>(doneBefore.map(({ idempotencyKey }) => idempotencyKey));
  const again = (await workspace.effects()).filter(({ idempotencyKey }) => keysOfA.has(idempotencyKey));
  expect(again).toEqual(effectsBefore.filter(({ idempotencyKey }) => keysOfA.has(idempotencyKey)));
  for (const task of ['B', 'C']) {
    expect((await ofTask(task)).map(({ action }) => action)).toEqual(['implement', 'review', 'update_spec']);
  }
  expect(await workspace.show(runId)).toMatchObject({
    state: 'succeeded',
    tasks,
    output: { tasks: tasks.map((id) => ({ id, implementations: 1, reviews: 1, specUpdates: 1 })) },
  });
  await workspace.assertIntact(runId);
});

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
const setEnv = { TEST_OUTSIDE: outside, WAYBILL_AGENT_STATE: outside + '/state/agent' };
// What holds the step open between the agent's answer and the receipt.
const held = { kind: 'command', name: 'held', command: ['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', outside + '/go'] } as const;
const build = (agent: string) => defineWorkflow(agent, async (run) => {
  const { outputs } = await run.agent(agent, { action: 'implement', inputs: { iteration: 1 }, checks: [held] });
  return outputs;
});
const gate = defineWorkflow('gate', async (run) => {
  const first = await run.exec(['sh', '-c', 'echo one > made.txt'], { name: 'first' });
  const { approved } = await run.approval('release', { prompt: 'Ship it?' });
  const second = await run.exec(['cat', 'README.md'], { name: 'second' });
  return { approved, codes: [first.exitCode, second.exitCode] };
});
export default defineConfig({
  workflows: [build('worker'), build('forgetful'), build('mindful'), gate],
  agents: {
    worker: { command: ${nodeAgent('worker.ts')}, setEnv },
    forgetful: { command: ${mockAgent('forgetful.json')}, setEnv },
    mindful: { command: ${mockAgent('mindful.json')}, setEnv },
  },
});
`;
const answers = { implement: [[{ do: 'complete', outputs: { tests: { passed: 3, failed: 0 } } }]] };
const outside = {
  'forgetful.json': JSON.stringify({ dedupe: false, actions: answers }),
  'mindful.json': JSON.stringify({ dedupe: true, actions: answers }),
};

/** Kills the runner after the agent's answer and before the receipt. */
async function killBeforeReceipt(workspace: TestWorkspace, workflow: string): Promise<string> {
  const runner = workspace.start(['run', '--workflow', workflow, '--json']);
  await runner.line((line) => /"type":"process.started"/.test(line) && /"what":"sh"/.test(line));
  runner.kill('SIGKILL');
  await runner.finished;
  const runId = workspace.onlyRun() ?? '';
  expect(await workspace.receipts(runId)).toEqual([]);
  writeFileSync(join(workspace.outside, 'go'), '');
  return runId;
}

describe('R40 a command that is sent again after the effect, before the receipt', () => {
  test('costs nothing with an agent of the SDK: the same answer under the same key', async () => {
    await using workspace = await makeWorkspace({ configuration, outside });
    const runId = await killBeforeReceipt(workspace, 'worker');
    const before = await workspace.effects();
    expect(before).toHaveLength(1);
    const resumed = await workspace.waybill(['resume', '--run', runId]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await workspace.effects()).toEqual(before);
    const [receipt] = await workspace.receipts(runId);
    expect(receipt).toMatchObject({
      idempotencyKey: before[0]?.idempotencyKey,
      attempts: 2,
      artifacts: [{ path: 'work/none-1.txt' }],
    });
    const events = await workspace.events(runId);
    expect(events.filter(({ data }) => data.resentWithoutDedupe === true)).toEqual([]);
    expect(events.filter(({ type }) => type === 'attempt.interrupted')).toHaveLength(1);
    const started = events.filter(({ type }) => type === 'attempt.started');
    expect(started.map(({ data }) => data.idempotencyKey)).toEqual([
      before[0]?.idempotencyKey,
      before[0]?.idempotencyKey,
    ]);
    expect(started[1]?.data).toMatchObject({ resent: true });
  });

  test('is marked in the ledger with an agent that remembers nothing', async () => {
    await using workspace = await makeWorkspace({ configuration, outside });
    const runId = await killBeforeReceipt(workspace, 'forgetful');
    const resumed = await workspace.waybill(['resume', runId]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await workspace.effects()).toMatchObject([{ resent: false }, { resent: true }]);
    const marked = (await workspace.events(runId)).filter(({ data }) => data.resentWithoutDedupe === true);
    expect(marked).toMatchObject([{ type: 'agent.log', step: { name: 'implement' }, attempt: 2 }]);
  });
});

test('R39 an unrelated run asks for the same work under the same key, and it is done again', async () => {
  await using workspace = await makeWorkspace({ configuration, outside });
  writeFileSync(join(workspace.outside, 'go'), '');
  const one = await workspace.stream(['run', '--workflow', 'mindful']);
  const other = await workspace.stream(['run', '--workflow', 'mindful']);
  expect([one.run.state, other.run.state]).toEqual(['succeeded', 'succeeded']);
  const [first, second, ...more] = await workspace.effects();
  expect(more).toEqual([]);
  expect(second?.idempotencyKey).toBe(first?.idempotencyKey);
});

test('R23 drift is refused with what differs, then accepted: later keys use the new tree, receipts keep theirs', async () => {
  await using workspace = await makeWorkspace({ configuration, outside });
  expect((await workspace.waybill(['run', '--workflow', 'gate'])).code).toBe(1);
  const runId = workspace.onlyRun() ?? '';
  const before = await workspace.show(runId);
  expect((await workspace.waybill(['approve', runId])).code).toBe(0);
  await workspace.write('README.md', 'Changed by hand.\n');
  await rm(join(workspace.root, 'made.txt'));

  const refused = await workspace.waybill(['resume', runId, '--json']);
  expect(refused.code).toBe(2);
  const { error } = z
    .object({ error: z.object({ code: z.string(), hint: z.string(), details: z.unknown() }) })
    .parse(JSON.parse(refused.stdout.trim()));
  expect(error).toMatchObject({
    code: 'drift',
    hint: expect.stringContaining(`waybill resume ${runId} --accept-drift`),
    details: {
      changed: 2,
      changes: [
        { path: 'README.md', change: 'changed' },
        { path: 'made.txt', change: 'removed' },
      ],
    },
  });
  expect(await workspace.show(runId)).toMatchObject({ state: 'waiting', steps: 2 });

  const accepted = await workspace.waybill(['resume', runId, '--accept-drift']);
  expect(accepted.code, accepted.stderr).toBe(0);
  const after = await workspace.show(runId);
  expect(after).toMatchObject({ state: 'succeeded', output: { approved: true, codes: [0, 0] } });
  expect(after.snapshot?.digest).not.toBe(before.snapshot?.digest);
  const drift = (await workspace.events(runId)).filter(({ type }) => type === 'drift.accepted');
  expect(drift).toMatchObject([{ data: { snapshot: { digest: after.snapshot?.digest }, changed: 2 } }]);
  const snapshots = (await workspace.receipts(runId)).map(({ step, snapshot }) => [step.name, snapshot]);
  expect(snapshots).toEqual([
    ['first', before.snapshot?.digest],
    ['release', before.snapshot?.digest],
    ['second', after.snapshot?.digest],
  ]);
});

test('R36 show says where a run is: at work, cut off, waiting, done; and how to go on', async () => {
  await using workspace = await makeWorkspace({ configuration, outside });
  const runner = workspace.start(['run', '--workflow', 'worker', '--json']);
  await runner.line((line) => line.includes('"what":"sh"'));
  const runId = workspace.onlyRun() ?? '';
  const running = await workspace.show(runId);
  const step = { name: 'implement', stage: 'implement', attempt: 1, waitingFor: null };
  expect(running).toMatchObject({
    ...{ runId, workflow: 'worker', task: null, state: 'running', interrupted: false, resume: null },
    ...{ currentStep: step, terminalEvent: null, reason: null, finishedAt: null },
    holder: { pid: runner.pid, alive: true },
  });
  expect(running.pending).toMatchObject([{ action: 'implement', idempotencyKey: running.currentStep?.idempotencyKey }]);
  runner.kill('SIGKILL');
  await runner.finished;
  const cutOff = await workspace.show(runId);
  expect(cutOff).toMatchObject({
    ...{ state: 'running', interrupted: true, resume: `waybill resume ${runId}`, currentStep: step },
    holder: { pid: runner.pid, alive: false },
  });
  const text = await workspace.waybill(['show', runId]);
  expect(text.stdout).toMatch(/interrupted/);
  expect(text.stdout).not.toMatch(/\brunning\b/);
  expect(text.stdout).toContain(`waybill resume ${runId}`);
  writeFileSync(join(workspace.outside, 'go'), '');
  expect((await workspace.waybill(['resume', '--run', runId])).code).toBe(0);
  const done = await workspace.show(runId);
  expect(done).toMatchObject({ state: 'succeeded', interrupted: false, resume: null, currentStep: null, holder: null });
  expect(done.terminalEvent).toEqual({ seq: done.lastSeq, type: 'run.succeeded' });
});

test('R18 a fork shares the receipts before its step, both runs show the link, and a key makes it one', async () => {
  await using workspace = await makeWorkspace({ configuration, outside });
  expect((await workspace.waybill(['run', '--workflow', 'gate'])).code).toBe(1);
  const origin = workspace.onlyRun() ?? '';
  await workspace.waybill(['approve', origin]);
  expect((await workspace.waybill(['resume', origin])).code).toBe(0);
  const fork = async () => {
    const done = await workspace.waybill(['fork', origin, '--from', 'second', '--key', 'once', '--json']);
    expect(done.code, done.stdout + done.stderr).toBe(0);
    return z.object({ runId: z.string() }).parse(JSON.parse(done.stdout.trimEnd().split('\n').at(-1) ?? '')).runId;
  };
  const forked = await fork();
  expect(forked).not.toBe(origin);
  expect(await fork()).toBe(forked);
  const [first, second]: RunState[] = [await workspace.show(origin), await workspace.show(forked)];
  expect(first).toMatchObject({ sharedBy: [{ runId: forked, kind: 'fork' }], state: 'succeeded' });
  expect(second).toMatchObject({ origin: { runId: origin, kind: 'fork', from: 'second' }, output: first?.output });
  const receipts = await workspace.receipts(forked);
  const own = receipts.filter((receipt) => receipt.runId === forked);
  expect(own.map(({ step }) => step.name)).toEqual(['second']);
  expect(receipts.filter((receipt) => receipt.runId === origin).map(({ step }) => step.name)).toEqual([
    'first',
    'release',
  ]);
  expect(receipts.map(substance).slice(0, 2)).toEqual((await workspace.receipts(origin)).map(substance).slice(0, 2));
  expect((await workspace.events(origin)).at(-1)).toMatchObject({ type: 'run.succeeded' });
  for (const runId of [origin, forked]) await workspace.assertIntact(runId);
});

test('R17 a workflow whose code changed stops, names the step and the difference, and goes on when it is put back', async () => {
  await using workspace = await makeWorkspace({ configuration, outside });
  expect((await workspace.waybill(['run', '--workflow', 'gate'])).code).toBe(1);
  const runId = workspace.onlyRun() ?? '';
  expect((await workspace.waybill(['approve', runId])).code).toBe(0);
  await workspace.write('waybill.config.ts', configuration.replace('echo one >', 'echo two >'));
  const changed = await workspace.waybill(['resume', runId, '--accept-drift', '--json']);
  expect(changed.code).toBe(1);
  expect(JSON.parse(linesOf(changed.stdout).at(-1) ?? '')).toMatchObject({
    error: {
      code: 'nondeterministic_workflow',
      message: expect.stringContaining('/inputs/command/2'),
      hint: expect.stringMatching(/fork .*--from first/),
      details: {
        step: 'first',
        recorded: expect.stringContaining('echo one'),
        current: expect.stringContaining('echo two'),
      },
    },
  });
  expect(await workspace.show(runId)).toMatchObject({ state: 'running', interrupted: true, steps: 2 });
  await workspace.write('waybill.config.ts', configuration);
  const resumed = await workspace.waybill(['resume', runId, '--accept-drift']);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(await workspace.show(runId)).toMatchObject({ state: 'succeeded', steps: 3 });
  await workspace.assertIntact(runId);
});
