import { appendFile, copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { eventually } from './support/eventually.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// Evidence as people meet it: files that are there when the command has ended, and papers that travel.
vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
const good = defineWorkflow('good', async (run) => {
  await run.exec(['sh', '-c', 'echo made > made.txt'], { expectedOutputs: ['made.txt'] });
  return await run.step('count', {}, () => 1);
});
const bad = defineWorkflow('bad', async (run) => (await run.exec(['sh', '-c', 'exit 7'])).exitCode);
const slow = defineWorkflow('slow', async (run) => {
  await run.step('first', {}, () => 1);
  await run.exec(['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', outside + '/go']);
  return 'done';
});
export default defineConfig({ workflows: [good, bad, slow] });
`;

const reportSchema = z.object({
  intact: z.boolean(),
  state: z.string().nullable(),
  problems: z.array(z.object({ where: z.string(), message: z.string() })),
  checked: z.object({ events: z.int(), receipts: z.int(), blobs: z.int(), snapshots: z.int() }),
});

async function verify(workspace: TestWorkspace, subject: string) {
  const { code, stdout } = await workspace.waybill(['verify', subject, '--json']);
  return { code, ...reportSchema.parse(JSON.parse(stdout)) };
}

async function contents(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(paths.sort().map(async (path) => [path, await readFile(path, 'utf8')] as const)));
}

test.each([
  ['good', 'succeeded', 0],
  ['bad', 'failed', 1],
] as const)(
  'R7 R12 R13 the run %s has %s: its files are complete, come back byte for byte, and everything verifies',
  async (workflow, state, code) => {
    await using workspace = await makeWorkspace({ configuration });
    const { run, code: ended } = await workspace.stream(['run', '--workflow', workflow]);
    expect([run.state, ended]).toEqual([state, code]);
    const folder = join(workspace.data, 'runs', run.runId);
    const before = await contents(folder);
    expect([...before.keys()].map((path) => path.slice(folder.length + 1))).toContain('run.json');
    for (const path of before.keys()) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await rm(join(workspace.data, 'runs'), { recursive: true });
    expect((await workspace.waybill(['export', run.runId, '--files'])).code).toBe(0);
    expect(await contents(folder)).toEqual(before);

    const bundle = join(workspace.outside, 'bundle.json');
    expect((await workspace.waybill(['export', run.runId, '--out', bundle])).code).toBe(0);
    const { checked, ...inStore } = await verify(workspace, run.runId);
    expect(inStore).toMatchObject({ code: 0, intact: true, state, problems: [] });
    for (const subject of [folder, bundle]) {
      expect(await verify(workspace, subject)).toMatchObject({ code: 0, intact: true, state, problems: [] });
    }
    await using elsewhere = await makeWorkspace({ configuration });
    expect((await elsewhere.waybill(['import', bundle])).code).toBe(0);
    expect(await verify(elsewhere, run.runId)).toMatchObject({ code: 0, intact: true, state, checked });
  },
);

test('R7 a changed byte in a bundle or in the files ends verify with exit code 1 and names the event', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const { run } = await workspace.stream(['run', '--workflow', 'good']);
  const bundle = join(workspace.outside, 'bundle.json');
  await workspace.waybill(['export', run.runId, '--out', bundle]);
  const folder = join(workspace.data, 'runs', run.runId);
  for (const file of [bundle, join(folder, 'ledger.ndjson')]) {
    const text = await readFile(file, 'utf8');
    await copyFile(file, `${file}.kept`);
    await writeFile(file, text.replace('"seq":3,', '"seq":4,'));
    const subject = file === bundle ? bundle : folder;
    const found = await verify(workspace, subject);
    expect(found).toMatchObject({ code: 1, intact: false, problems: [{ where: 'event 3' }] });
    await copyFile(`${file}.kept`, file);
    expect(await verify(workspace, subject)).toMatchObject({ code: 0, intact: true });
  }
  const missing = await workspace.waybill(['verify', join(workspace.outside, 'nothing.json')]);
  expect(missing.code).toBe(3);
});

test('R12 files trail a run at work, and after SIGKILL the next start leaves no torn line and no stray file', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const holder = workspace.start(['run', '--workflow', 'slow', '--json']);
  await holder.line((line) => line.includes('"type":"process.started"'));
  const runId = workspace.onlyRun() ?? '';
  const runs = join(workspace.data, 'runs');
  const runFile = join(runs, runId, 'run.json');
  await eventually('the file of the run tells its first step', async () =>
    (await readFile(runFile, 'utf8').catch(() => '')).includes('"steps": 1') ? true : undefined,
  );
  holder.kill('SIGKILL');
  await holder.finished;
  await appendFile(join(runs, runId, 'ledger.ndjson'), '{"attempt":1,"da');
  await writeFile(join(runs, '.writing', '.waybill-tmp-4194999-0123456789abcdef-1'), 'half a file');
  expect(await workspace.show(runId)).toMatchObject({ state: 'running', interrupted: true });
  expect(await readdir(join(runs, '.writing'))).toEqual([]);
  expect(await verify(workspace, join(runs, runId))).toMatchObject({ code: 0, intact: true, state: 'running' });
  await writeFile(join(workspace.outside, 'go'), '');
  expect((await workspace.stream(['resume', runId])).run).toMatchObject({ state: 'succeeded', output: 'done' });
  const written = await contents(join(runs, runId));
  await rm(runs, { recursive: true });
  await workspace.waybill(['export', runId, '--files']);
  expect(await contents(join(runs, runId))).toEqual(written);
});
