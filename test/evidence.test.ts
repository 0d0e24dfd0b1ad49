import { readdirSync, readFileSync } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { taskWorkspace } from './support/task-agents.ts';
import { makeWorkspace } from './support/workspace.ts';

// Evidence as it leaves the workspace, with the real program on both ends.
vi.setConfig({ testTimeout: 120_000 });
const options = taskWorkspace(['T-1'], { loops: true });

/** Path and content of every file below a folder. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length), readFileSync(path, 'utf8')]));
}

test('R12 R13 evidence files that were lost or torn are written again byte for byte, and a bundle goes to another machine', async () => {
  await using here = await makeWorkspace(options);
  expect((await here.waybill(['run', '--task', 'T-1'])).code).toBe(0);
  const runId = here.onlyRun() ?? '';
  const folder = join(here.data, 'runs', runId);
  const before = contents(folder);
  expect(Object.keys(before).filter((path) => path.includes('/step-'))).toHaveLength(8);

  await rm(join(here.data, 'runs'), { recursive: true });
  expect((await here.waybill(['export', runId, '--files'])).code).toBe(0);
  expect(contents(folder)).toEqual(before);
  await appendFile(join(folder, 'ledger.ndjson'), '{"torn":');
  const torn = await here.waybill(['verify', folder]);
  expect(torn.code, torn.stdout).toBe(1);
  expect((await here.waybill(['export', runId, '--files'])).code).toBe(0);
  expect(contents(folder)).toEqual(before);

  const bundle = join(here.outside, 'bundle.json');
  expect((await here.waybill(['export', runId, '--out', bundle])).code).toBe(0);
  await using there = await makeWorkspace({ ...options, tasks: [] });
  for (const subject of [bundle, folder]) {
    const verified = await there.waybill(['verify', subject]);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  }
  const imported = await there.waybill(['import', bundle]);
  expect(imported.code, imported.stderr).toBe(0);
  await there.assertIntact(runId);
  expect(await there.events(runId)).toEqual(await here.events(runId));
  expect(await there.receipts(runId)).toEqual(await here.receipts(runId));
});

test('R7 a flipped byte in the store is found, and the first bad event is named', async () => {
  await using workspace = await makeWorkspace(options);
  expect((await workspace.waybill(['exec', '--', 'echo', 'hello'])).code).toBe(0);
  const runId = workspace.onlyRun() ?? '';
  await workspace.assertIntact(runId);
  const database = new DatabaseSync(workspace.database);
  database.exec('DROP TRIGGER run_event_update');
  database.prepare("UPDATE run_event SET body = replace(body, 'hello', 'hallo') WHERE run = ? AND seq = 4").run(runId);
  database.close();
  const verified = await workspace.waybill(['verify', runId, '--json']);
  expect(verified.code).toBe(1);
  expect(JSON.parse(verified.stdout)).toMatchObject({
    intact: false,
    problems: [{ where: expect.stringMatching(/\b4\b/) }],
  });
});
