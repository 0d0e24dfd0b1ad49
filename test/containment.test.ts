import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { probeContainment } from '../src/executors/processes/containment.ts';
import { processesLike, sleepers, uniqueSeconds } from '../src/executors/processes/fixtures/living.ts';
import { eventually } from './support/eventually.ts';
import { nodeAgent } from './support/task-agents.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// The real command line is killed or told to stop while an agent with a daemon works.
vi.setConfig({ testTimeout: 120_000 });
const { how } = await probeContainment();
const swept = { WAYBILL_CONTAINMENT: 'swept' };
interface Way {
  readonly way: string;
  readonly env: Readonly<Record<string, string>>;
}
const own: Way = { way: how, env: {} };
const ways: readonly Way[] = how === 'contained' ? [own, { way: 'swept', env: swept }] : [own];

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const work = defineWorkflow('work', async (run) => (await run.agent('maker', { action: 'work' })).outputs);
export default defineConfig({
  workflows: [work],
  agents: {
    maker: {
      command: [...${nodeAgent('daemon-maker.ts')}, process.env.TEST_SECONDS ?? ''],
      setEnv: { TEST_OUTSIDE: process.env.TEST_OUTSIDE ?? '' },
      graceMs: 1000,
      heartbeatMs: 30_000,
    },
  },
});
`;

interface Scene extends AsyncDisposable {
  readonly workspace: TestWorkspace;
  readonly seconds: string;
  /** Every process of the agent, its sleepers and what holds them. */
  readonly family: () => readonly number[];
}

async function scene(env: Readonly<Record<string, string>>): Promise<Scene> {
  const seconds = uniqueSeconds();
  const workspace = await makeWorkspace({ configuration, env: { ...env, TEST_SECONDS: seconds } });
  const family = () => processesLike(new RegExp(`\\b${seconds}\\b`));
  onTestFinished(() => {
    for (const pid of family()) process.kill(pid, 'SIGKILL');
  });
  return { workspace, seconds, family, [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose]() };
}

/** Starts the run and waits until the daemons are there. */
async function working({ workspace, seconds, family }: Scene, foreground = false) {
  const runner = workspace.start(['run', '--workflow', 'work', '--json'], {}, foreground);
  await eventually('the agent and its daemons work', () => (sleepers(seconds).length === 2 ? true : undefined));
  expect(family().length).toBeGreaterThanOrEqual(3);
  return runner;
}

describe.each(ways)('$way', ({ way, env }) => {
  test('R41 SIGKILL of the runner while an agent with a daemon works: nothing is left, and the resume finishes', async () => {
    await using it = await scene(env);
    const runner = await working(it);
    const { workspace, family, seconds } = it;
    runner.kill('SIGKILL');
    await runner.finished;
    if (way === 'contained') {
      await eventually('nothing of it is left', () => (family().length === 0 ? true : undefined), 1000);
    } else {
      // Nobody is there to end them; that they live is what makes the next assertion worth something.
      expect(sleepers(seconds)).toHaveLength(2);
    }
    const runId = workspace.onlyRun() ?? '';
    expect(await workspace.show(runId)).toMatchObject({ state: 'running', interrupted: true });
    const resumed = await workspace.waybill(['resume', runId]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await workspace.effects()).toMatchObject([
      { attempt: 1, resent: false, met: 0 },
      { attempt: 2, resent: true, met: 0 },
    ]);
    expect(family()).toEqual([]);
    const events = await workspace.events(runId);
    const cleared = events.findIndex(
      ({ type, data }) => type === 'process.ended' && data.what === 'left by an earlier holder' && data.left === 0,
    );
    const again = events.findIndex(({ type, attempt }) => type === 'attempt.started' && attempt === 2);
    expect(cleared).toBeGreaterThan(0);
    expect(cleared).toBeLessThan(again);
    await workspace.assertIntact(runId);
  });

  test.each([
    ['Ctrl-C', 'SIGINT', 130],
    ['SIGTERM', 'SIGTERM', 143],
  ] as const)(
    'R22 %s ends the processes in order, leaves the run resumable, and exits in its way',
    async (how, signal, code) => {
      await using it = await scene(env);
      const runner = await working(it, true);
      const { workspace, family } = it;
      if (how === 'Ctrl-C') runner.interrupt();
      else runner.kill(signal);
      const stopped = await runner.finished;
      expect(stopped, stopped.stderr).toMatchObject({ code, signal: null });
      expect(family()).toEqual([]);
      const runId = workspace.onlyRun() ?? '';
      const run = await workspace.show(runId);
      expect(run).toMatchObject({ state: 'running', interrupted: true, resume: `waybill resume ${runId}` });
      expect(run.pending).toMatchObject([{ action: 'work', attempt: 1 }]);
      const last = (await workspace.events(runId)).at(-1);
      expect(last).toMatchObject({ type: 'run.interrupted', data: { signal } });
      const resumed = await workspace.waybill(['resume', runId]);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(await workspace.show(runId)).toMatchObject({ state: 'succeeded', output: { met: 0 } });
      const keys = (await workspace.effects()).map(({ idempotencyKey }) => idempotencyKey);
      expect(keys).toHaveLength(2);
      expect(new Set(keys).size).toBe(1);
      expect(family()).toEqual([]);
    },
  );
});
