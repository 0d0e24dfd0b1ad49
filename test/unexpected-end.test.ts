import { expect, test, vi } from 'vitest';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
if (process.env.TEST_ENDS_EARLY === '1') process.exit(0);
const none = { snapshot: 'none' } as const;
const again = process.env.TEST_AGAIN === '1';
export default defineConfig({
  workflows: [
    defineWorkflow('leaves', none, async (run) => {
      await run.step('before', {}, () => 1);
      return run.step('leave', {}, () => (again ? 2 : process.exit(0)));
    }),
    defineWorkflow('forgets', none, async (run) => {
      await run.step('before', {}, () => 1);
      if (!again) Promise.reject(new Error('nobody looks'));
      return run.step('after', {}, () => new Promise<number>((resolve) => setTimeout(() => resolve(3), 50)));
    }),
  ],
});
`;

test('R16 a workflow that ends the process is no success, and its run goes on later', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const left = await workspace.waybill(['run', '--workflow', 'leaves', '--json']);
  expect(left.code, left.stderr).toBe(1);
  expect(JSON.parse(left.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: 'interrupted' } });
  const runId = workspace.onlyRun() ?? '';
  expect(await workspace.show(runId)).toMatchObject({ state: 'running', interrupted: true });
  const { code, run } = await workspace.stream(['resume', runId], { TEST_AGAIN: '1' });
  expect(code).toBe(0);
  expect(run).toMatchObject({ state: 'succeeded', output: 2, steps: 2 });
  await workspace.assertIntact(runId);
});

test('R16 an error nobody awaits ends the command with a code, and its run goes on later', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const died = await workspace.waybill(['run', '--workflow', 'forgets']);
  expect(died.code, died.stderr).toBe(3);
  expect(died.stderr).toContain('nobody looks');
  const runId = workspace.onlyRun() ?? '';
  const { run } = await workspace.stream(['resume', runId], { TEST_AGAIN: '1' });
  expect(run).toMatchObject({ state: 'succeeded', output: 3 });
});

test('R44 a configuration that ends the process is no success', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const ended = await workspace.waybill(['exec', '--', 'true'], { TEST_ENDS_EARLY: '1' });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain('interrupted');
});
