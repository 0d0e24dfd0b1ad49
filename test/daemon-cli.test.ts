import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { createClient } from '../src/sdk/client/index.ts';
import { startDaemon } from './support/daemon.ts';
import { openDaemonStore } from './support/daemon-store.ts';
import { eventually } from './support/eventually.ts';
import { makeWorkspace } from './support/workspace.ts';

const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const slow = defineWorkflow('slow', { snapshot: 'none' }, async (run) => {
  for (let n = 0; n < 30; n += 1) {
    await run.step('note', { n }, () => n);
    await run.sleep('rest', 100);
  }
  return 'rested';
});
export default defineConfig({ workflows: [slow], evidence: 'on-demand' });
`;

function seqs(lines: readonly string[]): number[] {
  const shape = z.object({ seq: z.int() });
  return lines.flatMap((line) => shape.safeParse(JSON.parse(line)).data?.seq ?? []);
}

test('D14 D24 events --follow and wait go on over a daemon that is killed and started again', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const first = await startDaemon(workspace);
  const submitted = await workspace.waybill(['submit', '--workflow', 'slow', '--json']);
  const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(submitted.stdout));
  const following = workspace.start(['events', runId, '--follow', '--json']);
  const waiting = workspace.start(['wait', runId]);
  expect(await following.printed(8)).toBe(true);
  await first.kill();
  // On the socket again, whatever the port.
  const second = await startDaemon(workspace);
  const followed = await following.finished;
  expect(followed).toMatchObject({ code: 0, stderr: '' });
  const all = seqs(followed.stdout.trimEnd().split('\n'));
  expect(all).toEqual(all.map((_, index) => index + 1));
  expect(followed.stdout.trimEnd().split('\n').at(-1)).toContain('"run.succeeded"');
  expect(await waiting.finished).toMatchObject({ code: 0, stdout: `${runId} succeeded\nrested\n` });
  expect(await second.stop()).toMatchObject({ code: 0 });
});

test('D24 a killed daemon leaves nothing that keeps commands from working without it', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const daemon = await startDaemon(workspace);
  await daemon.kill();
  expect(JSON.parse(await readFile(join(workspace.data, 'daemon.json'), 'utf8'))).toMatchObject({ url: daemon.url });
  const submitted = await workspace.waybill(['submit', '--workflow', 'slow', '--json']);
  expect(submitted).toMatchObject({ code: 0, stderr: '' });
  const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(submitted.stdout));
  // The process in the background works on it, long after the command that started it.
  expect(await workspace.waybill(['wait', runId])).toMatchObject({ code: 0 });
  expect((await workspace.waybill(['runs'])).stdout).toContain(`${runId}  succeeded`);
});

test('D24 the socket alone is enough, also for programs', async () => {
  await using workspace = await makeWorkspace({ configuration });
  const serving = workspace.start(['serve', '--no-port', '--json']);
  const ready = z
    .object({ url: z.null(), socket: z.string(), tokenFile: z.string(), docs: z.null(), pid: z.int() })
    .parse(JSON.parse(await serving.line(() => true)));
  const token = (await readFile(ready.tokenFile, 'utf8')).trim();
  const client = createClient({ socket: ready.socket }, { token });
  expect(await client.system.health()).toMatchObject({ status: 'ok' });
  const { body } = await client.runs.submit({ body: { workflow: 'slow' } });
  const state = async () => (await client.runs.get({ params: { runId: body.runId } })).state;
  await eventually('the run to begin', async () => ((await state()) === 'queued' ? undefined : true));
  expect(await workspace.waybill(['cancel', body.runId])).toMatchObject({ code: 0 });
  expect(await client.wait(body.runId)).toMatchObject({ state: 'canceled' });
  await expect(createClient({ socket: ready.socket }).runs.list({})).rejects.toMatchObject({ code: 'unauthorized' });
  serving.kill('SIGTERM');
  expect(await serving.finished).toMatchObject({ code: 0 });
});

test('of a daemon on another store than the configured one, the receipts are said to be there, not missing', async () => {
  await using workspace = await makeWorkspace({ configuration });
  await using store = await openDaemonStore('postgres');
  const daemon = await startDaemon(workspace, { args: ['--store', store.env.TEST_STORE ?? ''] });
  const submitted = await workspace.waybill(['submit', '--workflow', 'slow', '--json']);
  const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(submitted.stdout));
  expect(await workspace.waybill(['show', runId])).toMatchObject({ code: 0 });
  const { code, stderr } = await workspace.waybill(['show', runId, '--receipts']);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining("is in the daemon's store, not in the one"),
  });
  const unknown = await workspace.waybill(['show', 'run-20260101-000000-00000000', '--receipts']);
  expect(unknown.stderr).not.toContain("daemon's store");
  expect((await daemon.stop()).code).toBe(0);
});
