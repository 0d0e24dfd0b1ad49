import { expect, test, vi } from 'vitest';
import { runListSchema } from '../src/contract/api/runs.ts';
import { type Daemon, startDaemon } from './support/daemon.ts';
import { effectTools, toolEffects } from './support/effect-tools.ts';
import { eventually } from './support/eventually.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig } from 'waybill';
export default defineConfig({ evidence: 'on-demand' });
`;
const path = 'waybill.tools/count/tool.json';
const count = JSON.stringify({ ...JSON.parse(effectTools[path] ?? ''), concurrency: 1 });

async function inState(daemon: Daemon, state: string): Promise<number> {
  return runListSchema.parse((await daemon.ask('GET', `/v1/runs?state=${state}`)).body).runs.length;
}

test('D5 a daemon keeps to the limit a tool is described with, also for what waited while none ran', async () => {
  await using workspace = await makeWorkspace({ configuration, files: { ...effectTools, [path]: count } });
  const daemon = await startDaemon(workspace);
  for (let n = 0; n < 3; n++) {
    await daemon.ask('POST', '/v1/runs', { body: { tool: 'count', input: { n, ms: 60_000 } } });
  }
  await eventually('one is at work', async () => ((await inState(daemon, 'running')) === 1 ? true : undefined));
  const other = await daemon.ask('POST', '/v1/runs?waitMs=30000', { body: { tool: 'shout', input: { n: 1 } } });
  // Others are not held up, and have been worked on since.
  expect(other.body).toMatchObject({ state: 'succeeded' });
  expect([await inState(daemon, 'running'), await inState(daemon, 'queued')]).toEqual([1, 2]);
  await daemon.kill();
  const next = await startDaemon(workspace);
  await eventually('one is at work again', async () => {
    const begun = (await toolEffects(workspace)).filter(({ tool }) => tool === 'count');
    return begun.length === 2 ? true : undefined;
  });
  const again = await next.ask('POST', '/v1/runs?waitMs=30000', { body: { tool: 'shout', input: { n: 2 } } });
  expect(again.body).toMatchObject({ state: 'succeeded' });
  expect([await inState(next, 'running'), await inState(next, 'queued')]).toEqual([1, 2]);
  expect((await toolEffects(workspace)).filter(({ tool }) => tool === 'count')).toHaveLength(2);
});
