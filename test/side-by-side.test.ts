import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type TestDatabase, testDatabase } from './postgres/test-database.ts';
import { linesOf, makeWorkspace } from './support/workspace.ts';

// Several processes of the program on one store at once, on both engines.
vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const hold = (run) => run.exec(['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', process.env.TEST_OUTSIDE + '/go'], { name: 'hold' });
const many = defineWorkflow('many', { snapshot: 'none' }, async (run, input) =>
  (await run.each(Array.from({ length: 16 }, (_, n) => n), { key: String }, (n, each) => each.step('square', { n, input }, () => n * n))).at(-1));
const held = defineWorkflow('held', async (run) => {
  const first = await run.step('first', {}, () => 1);
  await hold(run);
  const { approved } = await run.approval('release', { prompt: 'Ship it?' });
  return { first, approved };
});
export default defineConfig({ workflows: [many, held], store: process.env.TEST_STORE ?? 'sqlite', ...(process.env.TEST_STORE ? { storeRole: 'waybill_program' } : {}) });
`;

let database: TestDatabase | undefined;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database?.drop());

function environment(engine: string): Readonly<Record<string, string>> {
  if (engine === 'sqlite' || database === undefined) return {};
  const { host, user, database: name } = database.connection;
  return { TEST_STORE: `postgres://${user}@localhost/${name}?host=${encodeURIComponent(host)}` };
}

describe.each(['sqlite', 'postgres'])('%s', (engine) => {
  test('R7 four processes at once: every run succeeds, no ledger has a gap, and each verifies', async () => {
    await using workspace = await makeWorkspace({ configuration, env: environment(engine) });
    const started = [1, 2, 3, 4].map((n) => workspace.stream(['run', '--workflow', 'many', '--input', String(n)]));
    for (const { code, run, events } of await Promise.all(started)) {
      expect({ code, output: run.output }).toEqual({ code: 0, output: 225 });
      expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: run.lastSeq }, (_, index) => index + 1));
      await workspace.assertIntact(run.runId);
    }
  });

  test('R9 four starts with one key at once are one run, whose steps are done once', async () => {
    await using workspace = await makeWorkspace({ configuration, env: environment(engine) });
    const args = ['run', '--workflow', 'many', '--input', '7', '--key', 'same'];
    const all = await Promise.all([1, 2, 3, 4].map(() => workspace.stream(args)));
    const [runId = '', ...others] = new Set(all.map(({ run }) => run.runId));
    expect(others).toEqual([]);
    // Who finds a run that another process still works on says so, and does not wait for it.
    expect(all.filter(({ code, run }) => code === 0 && run.state === 'succeeded').length).toBeGreaterThanOrEqual(1);
    for (const { code, run } of all) expect(code).toBe(run.state === 'succeeded' ? 0 : 1);
    const receipts = await workspace.receipts(runId);
    expect(receipts.map(({ number }) => number)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
    await workspace.assertIntact(runId);
  });

  test('R20 R42 killed, resumed, answered and finished by five processes', async () => {
    await using workspace = await makeWorkspace({ configuration, env: environment(engine) });
    const runner = workspace.start(['run', '--workflow', 'held', '--json']);
    const { runId } = JSON.parse(await runner.line((line) => line.includes('"type":"process.started"')));
    runner.kill('SIGKILL');
    await runner.finished;
    expect(await workspace.show(runId)).toMatchObject({ state: 'running', interrupted: true, steps: 1 });
    const resumed = workspace.start(['resume', runId, '--json']);
    await resumed.line((line) => line.includes('"type":"process.started"'));
    const refused = await workspace.waybill(['resume', runId]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(String(resumed.pid)) });
    await workspace.write('../outside/go', '');
    expect((await resumed.finished).code).toBe(1);
    expect(linesOf((await workspace.waybill(['approve', runId, '--json'])).stdout).join('')).toContain('"requester"');
    expect((await workspace.waybill(['resume', runId])).code).toBe(0);
    expect(await workspace.show(runId)).toMatchObject({ state: 'succeeded', output: { first: 1, approved: true } });
    await workspace.assertIntact(runId);
  });
});
