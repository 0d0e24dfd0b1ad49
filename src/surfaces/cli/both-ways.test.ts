import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorkflow } from '../../contract/define.ts';
import { removeDaemonFile, writeDaemonFile } from '../../domain/workspace/daemon-file.ts';
import { ensureLocalToken } from '../../domain/workspace/tokens/local-token.ts';
import { openTestServer, type TestServer } from '../http/testing/open-test-server.ts';
import { FakeCli, type Ran } from './fixtures/fake-host.ts';
import type { OwnProgram } from './program.ts';
import { createRunsProgram } from './runs-program.ts';

const release = defineWorkflow('release', { input: z.object({}), snapshot: 'none' }, async (run) => {
  const { approved } = await run.approval('ship', { prompt: 'Ship it?' });
  return approved;
});

let daemon: TestServer;
let own: OwnProgram;

beforeAll(async () => {
  daemon = await openTestServer({
    workflows: [release],
    tools: {
      double: {
        source: 'export default ({ n }) => ({ n: 2 * n });',
        title: 'Doubles a number',
        inputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
      },
      broken: { source: 'export default () => { throw new Error("no"); };' },
    },
  });
  const { parts, world, server } = daemon;
  const { engine, configuration, workspace, tools } = parts;
  await mkdir(join(world.root, '.waybill'), { recursive: true, mode: 0o700 });
  const tokenFile = join(world.root, '.waybill', 'keys', 'token');
  await ensureLocalToken(engine.store, parts.tokens, tokenFile);
  await writeDaemonFile(workspace, {
    pid: process.pid,
    url: server.url,
    socket: server.socket,
    version: parts.version,
    startedAt: new Date().toISOString(),
    tokenFile,
  });
  const notHere = () => Promise.reject(new Error('the test does not look at evidence'));
  own = createRunsProgram({
    engine,
    actor: `local:${process.getuid?.()}`,
    configuration,
    workspace,
    tools,
    evidence: { follow: () => {}, finish: async () => {} },
    papers: { exportRun: notHere, importBundle: notHere, verifyRun: notHere },
    registry: notHere,
    releases: notHere,
    webhooks: notHere,
    relayWebhooks: notHere,
    runRetention: notHere,
    close: async () => {},
  });
});

afterAll(async () => {
  await removeDaemonFile(daemon.parts.workspace);
  await daemon[Symbol.asyncDispose]();
});

/** Through the daemon: what this process could do itself is not there, but for what the daemon does not hand out. */
function through(...args: string[]): Promise<Ran> {
  const { receipts, receipt } = own;
  return new FakeCli({ cwd: daemon.world.root, program: { receipts, receipt } }).run(...args);
}

/** Without it; a process in the background is one more command line here. */
function without(...args: string[]): Promise<Ran> {
  const cwd = daemon.world.root;
  return new FakeCli({
    cwd,
    program: own,
    env: { WAYBILL_NO_DAEMON: '1' },
    startInBackground: async (given) => {
      const { stdout } = await new FakeCli({ cwd, program: own }).run('--no-daemon', ...given);
      return { pid: 1, first: JSON.parse(stdout.split('\n')[0] ?? '') };
    },
  }).run(...args);
}

const soon = { timeout: 10_000 };

type Way = typeof through;
const ways: readonly (readonly [string, Way])[] = [
  ['through the daemon', through],
  ['without it', without],
];

function idOf({ stdout }: Ran): string {
  return z.object({ runId: z.string() }).parse(JSON.parse(stdout)).runId;
}

async function both(...args: string[]): Promise<Ran> {
  const [first, second] = [await through(...args), await without(...args)];
  expect(shown(first)).toEqual(shown(second));
  return first;
}

/** What is printed. A problem carries no `details` but its issues: the facts in them may be about the daemon's machine. */
function shown({ exitCode, stdout, stderr }: Ran) {
  const printed = stdout.trimEnd().split('\n');
  const { error } = z
    .object({ error: z.looseObject({}).optional() })
    .catch({})
    .parse(jsonOf(printed.at(-1) ?? ''));
  // The order of an object's members says nothing.
  const documents = printed.map((line) => jsonOf(line) ?? line);
  if (error === undefined) return { exitCode, stdout: jsonOf(stdout) ?? documents, stderr };
  const { details: _, ...told } = error;
  return { exitCode, stdout: documents.slice(0, -1), error: told, stderr };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

test.each(ways)('D24 submit makes a run that is worked on, %s', async (_, way) => {
  const submitted = await way('submit', 'double', '--input', '{"n": 21}', '--priority', '3', '--json');
  expect(submitted).toMatchObject({ exitCode: 0, stderr: '' });
  const runId = idOf(submitted);
  expect(await way('wait', runId, '--timeout', '20')).toMatchObject({ exitCode: 0 });
  expect(JSON.parse((await way('show', runId, '--json')).stdout)).toMatchObject({
    workflow: 'tool',
    tool: 'double',
    state: 'succeeded',
    output: { n: 42 },
    actor: `local:${process.getuid?.()}`,
  });
  const text = await way('submit', 'double', '--input', '{"n": 1}');
  expect(text.stdout).toMatch(/^run-\S+\n$/);
});

test.each(ways)('submit --wait shows the run and ends as it ends, %s', async (_, way) => {
  const good = await way('submit', 'double', '-i', '{"n": 4}', '--wait');
  expect(good).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^run-\S+ succeeded\n\{\n {2}"n": 8\n\}\n$/),
  });
  expect(await way('submit', 'broken', '--wait')).toMatchObject({ exitCode: 1 });
  const lines = (await way('submit', 'double', '-i', '{"n": 4}', '--wait', '--json')).stdout.trimEnd().split('\n');
  const types = lines.slice(0, -1).map((line) => JSON.parse(line).type);
  expect(types[0]).toBe('run.queued');
  expect(types.at(-1)).toBe('run.succeeded');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ schema: 'waybill.run.v1', state: 'succeeded' });
  expect(await way('submit', '--workflow', 'release', '--wait', '-i', '{}')).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('waiting for approval'),
  });
});

test('one key is one run, whichever way it comes', async () => {
  const args = ['submit', 'double', '-i', '{"n": 5}', '--key', 'the-key', '--json'];
  const first = idOf(await through(...args));
  expect(idOf(await without(...args))).toBe(first);
  expect(idOf(await through(...args))).toBe(first);
  await both('submit', 'double', '-i', '{"n": 6}', '--key', 'the-key', '--json');
});

test('D24 every command says the same both ways, with the same exit code', async () => {
  const done = idOf(await through('submit', 'double', '-i', '{"n": 1}', '--json'));
  const failed = idOf(await through('submit', 'broken', '--json'));
  const waiting = idOf(await through('submit', '--workflow', 'release', '-i', '{}', '--json'));
  await through('wait', done);
  await through('wait', failed);
  await expect.poll(async () => (await without('show', waiting)).stdout, soon).toContain('waiting for approval');
  for (const json of [[], ['--json']]) {
    await both('runs', ...json);
    await both('runs', '--limit', '2', '--state', 'failed', '--state', 'succeeded', '--workflow', 'tool', ...json);
    await both('runs', '--cursor', 'nonsense', ...json);
    for (const run of [done, failed, waiting, 'run-20200101-000000-00000000']) {
      await both('show', run, ...json);
      await both('show', run, '--receipts', ...json);
      await both('show', run, '--step', '1', ...json);
      await both('events', run, ...json);
      await both('events', run, '--since', '2', ...json);
    }
    await both('events', done, '--follow', ...json);
    await both('events', waiting, '--follow', '--timeout', '0.3', ...json);
    await both('wait', done, ...json);
    await both('wait', failed, ...json);
    await both('wait', waiting, '--timeout', '0.3', ...json);
    await both('cancel', done, ...json);
    await both('cancel', 'run-20200101-000000-00000000', ...json);
    await both('pause', failed, ...json);
    await both('approve', done, ...json);
    await both('signal', failed, 'x', ...json);
    await both('tools', ...json);
    await both('tools', 'show', 'double', ...json);
    await both('tools', 'show', 'nothing', ...json);
    await both('tokens', 'list', ...json);
    await both('tokens', 'revoke', 'tok_0000000000000000', ...json);
    await both('submit', 'nothing', ...json);
    await both('submit', '--workflow', 'nothing', ...json);
  }
});

test.each(ways)('a run is answered, paused and canceled, %s', async (_, way) => {
  const make = async () => {
    const runId = idOf(await way('submit', '--workflow', 'release', '-i', '{}', '--json'));
    await expect.poll(async () => (await way('show', runId)).stdout, soon).toContain('waiting for approval');
    return runId;
  };
  const approved = await make();
  const answer = JSON.parse((await way('approve', approved, '--comment', 'good', '--key', 'k', '--json')).stdout);
  expect(answer).toMatchObject({ outcome: 'done', by: expect.stringMatching(/^(holder|requester)$/) });
  expect(Object.keys(answer).sort()).toEqual(['by', 'outcome', 'run']);
  const canceled = await make();
  expect(await way('cancel', canceled, '--comment', 'no')).toMatchObject({
    exitCode: 0,
    stdout: `canceled: no process of the run is left\n${canceled} canceled\n`,
  });
  expect(await way('cancel', canceled)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('nothing to do'),
  });
});

test.each(ways)('a token is made once, listed without itself, and revoked, %s', async (name, way) => {
  const label = `t${name.length}`;
  const made = JSON.parse((await way('tokens', 'make', label, '--role', 'auditor', '--json')).stdout);
  expect(made).toMatchObject({ name: label, role: 'auditor', token: expect.stringMatching(/^wb_/) });
  expect((await way('tokens', 'list')).stdout).toContain(made.id);
  expect((await way('tokens', 'list', '--json')).stdout).not.toContain(made.token);
  expect(await way('tokens', 'make', label)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('token_exists'),
  });
  expect(await way('tokens', 'revoke', made.id)).toMatchObject({ exitCode: 0 });
});

test.each(ways)(
  'G20 G21 a token is given roles, an end and other roles, and says what it may do, %s',
  async (name, way) => {
    const label = `may${name.length}`;
    const json = async (...args: string[]) => JSON.parse((await way('tokens', ...args, '--json')).stdout);
    const made = await json('make', label, '--repo', 'local=publish', '--expires', '30d');
    expect(made).toMatchObject({ role: null, repos: [{ repo: 'local', role: 'publish' }], lastUsedAt: null });
    const days = (Date.parse(made.expiresAt) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);
    const { tokens } = daemon.parts;
    expect(await tokens.authenticate(made.token)).toMatchObject({ actor: `token:${label}`, role: null });
    expect((await way('tokens')).stdout).toMatch(new RegExp(`${made.id} +${label} +local=publish +token:${label} `));

    const granted = await way('tokens', 'grant', made.id, '--role', 'operator', '--repo', 'local=none');
    expect(granted).toMatchObject({ exitCode: 0, stdout: `${made.id} (${label}) may now: operator\n` });
    expect(await tokens.authenticate(made.token)).toMatchObject({ role: 'operator', repos: [] });
    expect(await json('grant', made.id, '--repo', 'local=read')).toMatchObject({
      role: 'operator',
      repos: [{ repo: 'local', role: 'read' }],
    });

    const plain = await way('tokens', 'make', `${label}-plain`);
    expect(plain).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/tok_\w+: runner; it is not shown again/),
    });
    const until = await way('tokens', 'make', `${label}-until`, '--role', 'admin', '--expires', '2199-01-01T00:00:00Z');
    expect(until.stderr).toContain(': admin, until 2199-01-01T00:00:00.000Z;');
  },
);

test('G20 what a token cannot be is refused the same both ways', async () => {
  const made = JSON.parse((await without('tokens', 'make', 'fixed', '--json')).stdout);
  for (const json of [[], ['--json']]) {
    await both('tokens', 'make', 'wrong', '--repo', 'nowhere=read', ...json);
    await both('tokens', 'make', 'wrong', '--repo', 'local=read', '--repo', 'local=write', ...json);
    await both('tokens', 'make', 'wrong', '--expires', '2020-01-01T00:00:00Z', ...json);
    await both('tokens', 'make', 'wrong', '--role', 'writer', ...json);
    await both('tokens', 'grant', made.id, '--role', 'none', ...json);
    await both('tokens', 'grant', made.id, '--repo', 'nowhere=read', ...json);
    await both('tokens', 'grant', made.id, ...json);
    await both('tokens', 'grant', 'tok_0000000000000000', '--role', 'admin', ...json);
  }
});
