import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { processesLike, uniqueSeconds } from '../src/executors/processes/fixtures/living.ts';
import { eventually } from './support/eventually.ts';
import type { Waybill } from './support/waybill.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// Two terminals: one runs (or ran) a workflow, the other asks something of it.
vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow, type RunContext } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
// Keeps its process, and so the run's holder, until the test says so.
const busy = (run: RunContext, input: unknown) =>
  input === 'busy' ? run.exec(['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', outside + '/go']) : null;
const gate = defineWorkflow('gate', async (run, input) => {
  const [answer] = await Promise.all([run.approval('release', { prompt: 'Ship it?' }), busy(run, input)]);
  return { approved: answer.approved, comment: answer.comment };
});
const mail = defineWorkflow('mail', async (run, input) => (await Promise.all([run.signal('letter'), busy(run, input)]))[0]);
const endless = defineWorkflow('endless', async (run, input) => {
  await run.exec(['sh', '-c', 'trap "" TERM; sleep "$0" & setsid sleep "$0" & wait', String(input)]);
  return 'never';
});
export default defineConfig({ workflows: [gate, mail, endless] });
`;

const answerSchema = z.object({ outcome: z.string(), by: z.string(), run: z.object({ state: z.string() }) });

async function ask(workspace: TestWorkspace, ...args: string[]) {
  const { code, stdout, stderr } = await workspace.waybill([...args, '--json']);
  expect(code, stdout + stderr).toBe(0);
  return answerSchema.parse(JSON.parse(stdout));
}

/** Starts a workflow whose holder lives on while the run waits. */
async function begin(workspace: TestWorkspace, workflow: string): Promise<{ runId: string; holder: Waybill }> {
  const holder = workspace.start(['run', '--workflow', workflow, '--input', '"busy"', '--json']);
  await holder.line((line) => /"type":"(approval.requested|signal.awaited)"/.test(line));
  await holder.line((line) => line.includes('"type":"process.started"'));
  return { runId: workspace.onlyRun() ?? '', holder };
}

/** Starts a workflow that comes to rest: no process holds it. */
async function rest(workspace: TestWorkspace, workflow: string): Promise<string> {
  const { code, stderr } = await workspace.waybill(['run', '--workflow', workflow]);
  expect(code, stderr).toBe(1);
  return workspace.onlyRun() ?? '';
}

function letGo(workspace: TestWorkspace): void {
  writeFileSync(join(workspace.outside, 'go'), '');
}

const questions = [
  {
    kind: 'approve',
    workflow: 'gate',
    args: ['--comment', 'looks good'],
    output: { approved: true, comment: 'looks good' },
  },
  { kind: 'deny', workflow: 'gate', args: ['--comment', 'not yet'], output: { approved: false, comment: 'not yet' } },
  { kind: 'signal', workflow: 'mail', args: ['letter', '--payload', '{"from":"home"}'], output: { from: 'home' } },
] as const;

describe.each(questions)('R42 $kind from a second terminal', ({ kind, workflow, args, output }) => {
  test('with a living holder: it is the holder who does it', async () => {
    await using workspace = await makeWorkspace({ configuration });
    const { runId, holder } = await begin(workspace, workflow);
    expect(await workspace.show(runId)).toMatchObject({
      state: 'running',
      interrupted: false,
      holder: { alive: true },
    });
    const answer = await ask(workspace, kind, runId, ...args);
    expect(answer).toMatchObject({ outcome: 'done', by: 'holder', run: { state: 'running' } });
    expect(holder.ended).toBe(false);
    letGo(workspace);
    expect((await holder.finished).code).toBe(0);
    expect(await workspace.show(runId)).toMatchObject({ state: 'succeeded', output });
    await workspace.assertIntact(runId);
  });

  test('without a holder: the second terminal does it, and the resume finds it', async () => {
    await using workspace = await makeWorkspace({ configuration });
    const runId = await rest(workspace, workflow);
    expect(await workspace.show(runId)).toMatchObject({ state: 'waiting', interrupted: false, holder: null });
    expect(await ask(workspace, kind, runId, ...args)).toMatchObject({ outcome: 'done', by: 'requester' });
    const resumed = await workspace.waybill(['resume', runId]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await workspace.show(runId)).toMatchObject({ state: 'succeeded', output });
    await workspace.assertIntact(runId);
  });
});

test('R20 R42 a crash while waiting for an approval still waits for it', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const { runId, holder } = await begin(workspace, 'gate');
  holder.kill('SIGKILL');
  await holder.finished;
  const crashed = await workspace.show(runId);
  expect(crashed).toMatchObject({ state: 'running', interrupted: true });
  expect(crashed.pending.map(({ action }) => action).sort()).toEqual(['approval', 'exec']);
  letGo(workspace);
  const resumed = await workspace.waybill(['resume', runId]);
  expect(resumed.code, resumed.stderr).toBe(1);
  const waiting = await workspace.show(runId);
  expect(waiting).toMatchObject({ state: 'waiting', interrupted: false, currentStep: { waitingFor: 'approval' } });
  expect(await ask(workspace, 'approve', runId, 'release')).toMatchObject({ outcome: 'done', by: 'requester' });
  expect((await workspace.waybill(['resume', runId])).code).toBe(0);
  expect(await workspace.show(runId)).toMatchObject({ state: 'succeeded', output: { approved: true, comment: null } });
  const asked = (await workspace.events(runId)).filter(({ type }) => type === 'approval.requested');
  expect(asked).toHaveLength(1);
});

describe('R42 cancel from a second terminal', () => {
  async function endless(env: Readonly<Record<string, string>>) {
    const seconds = uniqueSeconds();
    const family = () => processesLike(new RegExp(`\\b${seconds}$`));
    onTestFinished(() => {
      for (const pid of family()) process.kill(pid, 'SIGKILL');
    });
    const workspace = await makeWorkspace({ configuration, env });
    const holder = workspace.start(['run', '--workflow', 'endless', '--input', seconds, '--json']);
    const sleeping = () => processesLike(new RegExp(`^sleep ${seconds}$`)).length === 2;
    await eventually('both sleepers sleep', () => (sleeping() ? true : undefined));
    return { workspace, holder, family, runId: workspace.onlyRun() ?? '' };
  }

  async function assertCanceled(workspace: TestWorkspace, runId: string): Promise<void> {
    expect(await workspace.show(runId)).toMatchObject({ state: 'canceled', terminalEvent: { type: 'run.canceled' } });
    const last = (await workspace.events(runId)).at(-1);
    expect(last).toMatchObject({ type: 'run.canceled', data: { processes: { left: 0 } } });
    expect(await ask(workspace, 'cancel', runId)).toMatchObject({ outcome: 'unchanged' });
    const refused = await workspace.waybill(['resume', runId]);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toMatch(/canceled/);
    await workspace.assertIntact(runId);
  }

  test('with a living holder: its processes are gone when the command returns', async () => {
    const { workspace, holder, family, runId } = await endless({});
    await using _ = workspace;
    expect(await ask(workspace, 'cancel', runId)).toMatchObject({
      outcome: 'done',
      by: 'holder',
      run: { state: 'canceled' },
    });
    expect(family()).toEqual([]);
    expect((await holder.finished).code).toBe(1);
    await assertCanceled(workspace, runId);
  });

  test('without a holder: what the killed one left behind is ended by the second terminal', async () => {
    const { workspace, holder, family, runId } = await endless({ WAYBILL_CONTAINMENT: 'swept' });
    await using _ = workspace;
    holder.kill('SIGKILL');
    await holder.finished;
    expect(family().length).toBeGreaterThanOrEqual(2);
    const canceled = await ask(workspace, 'cancel', runId);
    expect(canceled).toMatchObject({ outcome: 'done', by: 'requester', run: { state: 'canceled' } });
    expect(family()).toEqual([]);
    await assertCanceled(workspace, runId);
  });
});
