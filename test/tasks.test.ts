import { expect, test, vi } from 'vitest';
import { taskWorkspace } from './support/task-agents.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });

test('R38 an unknown task exits 2, names the nearest, and makes no run', async () => {
  await using workspace = await makeWorkspace(taskWorkspace(['T-0042', 'other'], { loops: false }));
  const refused = await workspace.waybill(['run', '--task', 'T-0024', '--json']);
  expect(refused.code).toBe(2);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    error: { code: 'task_not_found', hint: expect.stringContaining('T-0042'), details: { nearest: 'T-0042' } },
  });
  const added = await workspace.waybill(['tasks', 'add', 'T-0024', '--title', 'Another one', '--goal', 'Do it.']);
  expect(added.code, added.stderr).toBe(0);
  const listed = await workspace.waybill(['tasks', 'list', '--json']);
  for (const id of ['T-0024', 'T-0042', 'other']) expect(listed.stdout).toContain(`"${id}"`);
  const shown = await workspace.waybill(['tasks', 'show', 'T-0024', '--json']);
  expect(JSON.parse(shown.stdout)).toMatchObject({ id: 'T-0024', title: 'Another one' });
  expect(workspace.onlyRun()).toBeUndefined();
});
