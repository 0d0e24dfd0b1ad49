import { expect, test, vi } from 'vitest';
import { sleepers, uniqueSeconds } from '../src/executors/processes/fixtures/living.ts';
import { eventually } from './support/eventually.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });

test('an agent of the transport exec has a process and a record of its own for each command', async () => {
  await using workspace = await makeWorkspace({
    configuration: `import { defineConfig, defineWorkflow } from 'waybill';
const twice = defineWorkflow('twice', async (run) => {
  const one = await run.agent('shell', { action: 'one' });
  const two = await run.agent('shell', { action: 'two' });
  return [one.outputs, two.outputs];
});
export default defineConfig({
  workflows: [twice],
  agents: { shell: { transport: 'exec', command: ['sh', '-c', 'cat > /dev/null; echo done'] } },
});
`,
  });
  const { code, events, run } = await workspace.stream(['run', '--workflow', 'twice']);
  expect(code).toBe(0);
  expect(run).toMatchObject({ state: 'succeeded', output: [{ text: 'done\n' }, { text: 'done\n' }] });
  const markers = (type: string) => events.filter((event) => event.type === type).map(({ data }) => data.marker);
  expect(new Set(markers('process.started')).size).toBe(2);
  expect(markers('process.ended')).toEqual(markers('process.started'));
  await workspace.assertIntact(run.runId);
});

test('R42 cancel while an agent is being greeted ends its process too, before the run is said to be canceled', async () => {
  const seconds = uniqueSeconds();
  await using workspace = await makeWorkspace({
    configuration: `import { defineConfig, defineWorkflow } from 'waybill';
export default defineConfig({
  workflows: [defineWorkflow('mute', async (run) => (await run.agent('mute', { action: 'any' })).outputs)],
  agents: { mute: { command: ['sleep', '${seconds}'], helloTimeoutMs: 60_000, graceMs: 500 } },
});
`,
  });
  const holder = workspace.start(['run', '--workflow', 'mute', '--json']);
  await holder.line((line) => line.includes('"type":"process.started"'));
  await eventually('the agent is there', () => (sleepers(seconds).length > 0 ? true : undefined));
  const runId = workspace.onlyRun() ?? '';
  expect((await workspace.waybill(['cancel', runId])).code).toBe(0);
  expect(await workspace.show(runId)).toMatchObject({ state: 'canceled' });
  expect(sleepers(seconds)).toEqual([]);
  expect((await holder.finished).code).toBe(1);
  await workspace.assertIntact(runId);
});
