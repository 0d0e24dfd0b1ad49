import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { mockAgent } from './support/task-agents.ts';
import { makeWorkspace } from './support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
const has = ['sh', '-c', 'test -n "$DEPLOY_TOKEN" || test -n "$INTERNAL_HOST"'] as const;
const talk = defineWorkflow('talk', async (run) => {
  const without = await run.exec(has, { name: 'without', okExitCodes: [0, 1] });
  const allowed = await run.exec(has, { name: 'allowed', okExitCodes: [0, 1], allowEnv: ['DEPLOY_TOKEN'] });
  const printed = await run.exec(['sh', '-c', 'echo $DEPLOY_TOKEN; echo $INTERNAL_HOST >&2'], {
    name: 'printed', allowEnv: ['DEPLOY_TOKEN', 'INTERNAL_HOST'],
  });
  const { outputs } = await run.agent('talker', { action: 'talk' });
  return { without: without.exitCode, allowed: allowed.exitCode, printed: printed.stdout, outputs };
});
export default defineConfig({
  workflows: [talk],
  redact: { env: ['INTERNAL_HOST'] },
  agents: {
    talker: { command: ${mockAgent('talker.json')}, setEnv: { WAYBILL_AGENT_STATE: \`\${outside}/state/talker\` } },
  },
});
`;

/** Every file below a folder, with its bytes. */
function filesBelow(folder: string): { readonly path: string; readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, bytes: readFileSync(path) }));
}

test('R28 a secret of the parent does not reach an agent, and one that is printed is stored nowhere', async () => {
  const token = `tok-${randomBytes(12).toString('hex')}`;
  const host = `host-${randomBytes(8).toString('hex')}.example.invalid`;
  const said = `it is ${token} on ${host}`;
  const talker = {
    actions: {
      talk: [
        [
          { do: 'log', message: said },
          { do: 'progress', message: said, data: { said } },
          { do: 'line', to: 'stderr', text: said },
          { do: 'complete', outputs: { said, nested: [{ said }] } },
        ],
      ],
    },
  };
  await using workspace = await makeWorkspace({ configuration, outside: { 'talker.json': JSON.stringify(talker) } });
  const env = { DEPLOY_TOKEN: token, INTERNAL_HOST: host };
  const input = JSON.stringify({ note: said });
  const done = await workspace.waybill(['run', '--workflow', 'talk', '--input', input, '--json'], env);
  expect(done.code, done.stdout + done.stderr).toBe(0);
  const runId = workspace.onlyRun() ?? '';
  // A second run that fails, for an envelope.
  const failed = await workspace.waybill(
    ['exec', '--allow-env', 'DEPLOY_TOKEN', '--', 'sh', '-c', 'echo $DEPLOY_TOKEN >&2; exit 7'],
    env,
  );
  expect(failed.code).toBe(1);
  const bundle = join(workspace.outside, 'bundle.json');
  expect((await workspace.waybill(['export', runId, '--out', bundle], env)).code).toBe(0);

  const run = await workspace.show(runId);
  expect(run).toMatchObject({ state: 'succeeded', output: { without: 1, allowed: 0 } });
  const events = await workspace.events(runId);
  const marked = events.filter(({ data }) => JSON.stringify(data).includes('[redacted'));
  expect(new Set(marked.map(({ type }) => type))).toEqual(
    new Set(['run.started', 'process.output', 'agent.log', 'agent.progress', 'run.succeeded']),
  );
  await workspace.assertIntact(runId);

  const stored = [...filesBelow(workspace.data), { path: bundle, bytes: readFileSync(bundle) }];
  const names = stored.map(({ path }) => path);
  expect(names).toContain(workspace.database);
  expect(names).toContain(join(workspace.data, 'runs', runId, 'ledger.ndjson'));
  expect(workspace.rows('SELECT id FROM infra_error_events').length).toBeGreaterThanOrEqual(1);
  for (const secret of [token, host]) {
    expect(stored.filter(({ bytes }) => bytes.includes(secret)).map(({ path }) => path)).toEqual([]);
    for (const { stdout, stderr } of [done, failed]) expect(stdout + stderr).not.toContain(secret);
  }
});
