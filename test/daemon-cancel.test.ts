import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { requestAnswerSchema, runAnswerSchema } from '../src/contract/api/runs.ts';
import { probeContainment } from '../src/executors/processes/containment.ts';
import { processesLike, sleepers, uniqueSeconds } from '../src/executors/processes/fixtures/living.ts';
import { startDaemon } from './support/daemon.ts';
import { eventually } from './support/eventually.ts';
import { readStream } from './support/read-stream.ts';
import { makeWorkspace } from './support/workspace.ts';

// A command tool with children, daemons and grandchildren is canceled over HTTP, or its daemon dies.
vi.setConfig({ testTimeout: 120_000 });
const { how } = await probeContainment();
const ways = [
  { way: how, env: {} },
  ...(how === 'contained' ? [{ way: 'swept', env: { WAYBILL_CONTAINMENT: 'swept' } }] : []),
];

const tool = {
  schema: 'waybill.tool.v1',
  id: 'family',
  version: '1.0.0',
  title: 'A family of processes',
  description: 'Leaves a child, a daemon of its own session and a grandchild behind, and never ends.',
  kind: 'command',
  command: ['sh', 'waybill.tools/family/family.sh'],
  inputSchema: true,
  outputSchema: true,
  sideEffects: 'none',
  allowEnv: ['TEST_SECONDS'],
};
const script = `trap '' TERM
sleep "$TEST_SECONDS" &
sh -c 'setsid sleep "$0" &' "$TEST_SECONDS"
sh -c '(trap "" TERM; sleep "$0" & wait) &' "$TEST_SECONDS"
while true; do sleep 0.1; done
`;
const files = { 'waybill.tools/family/tool.json': JSON.stringify(tool), 'waybill.tools/family/family.sh': script };
const configuration = `import { defineConfig } from 'waybill';
export default defineConfig({ evidence: 'on-demand' });
`;

describe.each(ways)('$way', ({ way, env }) => {
  test('D7 cancel over HTTP ends a command tool with daemons and grandchildren, and its followers', async () => {
    const seconds = uniqueSeconds();
    const family = () => processesLike(new RegExp(`\\b${seconds}\\b`));
    onTestFinished(() => {
      for (const pid of family()) process.kill(pid, 'SIGKILL');
    });
    await using workspace = await makeWorkspace({ configuration, files, env: { ...env, TEST_SECONDS: seconds } });
    const daemon = await startDaemon(workspace);
    const submitted = await daemon.ask('POST', '/v1/runs', { body: { tool: 'family', input: null } });
    const { runId } = runAnswerSchema.parse(submitted.body);
    const follower = readStream(daemon, runId);
    await eventually('the family is there', () => (sleepers(seconds).length === 3 ? true : undefined));

    const canceled = await daemon.ask('POST', `/v1/runs/${runId}/cancel`, { body: { comment: 'enough' } });
    expect(canceled.status, canceled.text).toBe(200);
    const { events } = await follower;
    // The terminal event says that nothing is left, so nothing may be.
    expect(family()).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: 'run.canceled', data: { processes: { how: way, ended: 1, left: 0 } } });

    const again = await daemon.ask('POST', `/v1/runs/${runId}/cancel`);
    expect(again.status).toBe(200);
    expect(requestAnswerSchema.parse(again.body)).toMatchObject({ outcome: 'unchanged', run: { state: 'canceled' } });
    expect((await readStream(daemon, runId)).events).toEqual(events);
    expect((await daemon.stop()).code).toBe(0);
    await workspace.assertIntact(runId);
  });
});
