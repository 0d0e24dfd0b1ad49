import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ToolSummary } from '../../contract/api/tools.ts';
import type { JsonValue } from '../../contract/json.ts';
import { event, eventsOf, FakeCli, type FakeOptions, inHand, type Ran, runId, runState } from './fixtures/fake-host.ts';
import { recorded } from './fixtures/recorded.ts';

let cwd: string;
beforeEach(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-submit-')));
  writeFileSync(join(cwd, 'waybill.config.ts'), 'export default {};\n');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(args: readonly string[], options: Partial<FakeOptions> = {}): Promise<Ran> {
  return new FakeCli({ cwd, ...options }).run(...args);
}

test.each<[args: string[], message: string]>([
  [['submit'], 'nothing to run'],
  [['submit', 'resize', '--workflow', 'deploy'], 'a tool is named, and a workflow too'],
  [['submit', 'resize', '--task', 'T-1'], 'a tool is named, and a workflow too'],
  [['submit', 'resize', '--timeout', '5'], '--timeout belongs to --wait'],
  [['submit', 'resize', '--priority', '101'], 'at most 100'],
  [['submit', 'resize', '--priority', '-101'], 'at most 100'],
  [['submit', 'resize', '--priority', '1.5'], 'whole number'],
  [['submit', '../etc'], 'must be a letter'],
  [['tools', 'show', '../etc'], 'must be a letter'],
  [['tokens', 'make', 'ci', '--role', 'king'], 'Roles: runner, operator, auditor, admin'],
])('%j cannot be meant', async (args, message) => {
  expect(await cli(args)).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining(message) });
});

test('without a daemon a process in the background is told to work on it, and the id is printed', async () => {
  const given: string[][] = [];
  const startInBackground = (args: readonly string[]) => {
    given.push([...args]);
    return { pid: 7, first: { runId } satisfies JsonValue };
  };
  const args = ['submit', 'resize', '--input', '{"n":1}', '--key', 'k'];
  expect(await cli(args, { startInBackground })).toMatchObject({ exitCode: 0, stdout: `${runId}\n` });
  expect(given).toEqual([['--json', ...args, '--here']]);
  expect(JSON.parse((await cli([...args, '--json'], { startInBackground })).stdout)).toEqual({ runId });
});

test('what keeps the process in the background from making a run is told as if it had run here', async () => {
  const error = { code: 'tool_not_found', message: 'there is no tool "resize"', hint: 'List them: waybill tools' };
  const ran = await cli(['submit', 'resize'], { startInBackground: () => ({ pid: 7, first: { error } }) });
  expect(ran).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining('there is no tool "resize"') });
});

test('the process in the background works on the run itself', async () => {
  const started = recorded(() => inHand(runState({ tool: 'resize' })));
  const program = { startSubmitted: started.fn, showRun: async () => runState() };
  const args = ['submit', 'resize', '-i', '{"n":1}', '--priority', '-3', '--key', 'k', '--here', '--json'];
  expect((await cli(args, { program })).exitCode).toBe(0);
  expect(started.calls).toEqual([[{ what: { tool: 'resize' }, tasks: [], input: { n: 1 }, priority: -3, key: 'k' }]]);
});

test('--wait whose time is over leaves the run alone and gives the cursor', async () => {
  const running = runState({ state: 'running', lastSeq: 2 });
  const ledger = [event(1, 'run.queued'), event(2, 'run.started')];
  const ran = await cli(['submit', 'resize', '--wait', '--timeout', '0.1', '--json'], {
    startInBackground: () => ({ pid: 7, first: { runId } }),
    program: { showRun: async () => running, events: (_, request) => eventsOf(ledger, request) },
  });
  expect(ran.exitCode).toBe(1);
  const lines = ran.stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ error: { code: 'wait_timeout', details: { cursor: 2 } } });
});

test('Ctrl-C ends the watching, not the run', async () => {
  const fake: FakeCli = new FakeCli({
    cwd,
    startInBackground: () => ({ pid: 7, first: { runId } }),
    program: {
      showRun: async () => runState({ state: 'running' }),
      events: (_, request) => {
        setImmediate(() => fake.send('SIGINT'));
        return eventsOf([event(1, 'run.queued')], request);
      },
    },
  });
  expect(await fake.run('submit', 'resize', '--wait')).toMatchObject({
    exitCode: 130,
    stderr: expect.stringContaining('the run goes on'),
  });
});

const tool: ToolSummary = {
  id: 'resize',
  version: '1',
  title: 'Resizes',
  description: 'Resizes an image.',
  kind: 'command',
  sideEffects: 'none',
  available: true,
  reason: null,
};

test('tools says which cannot be used and why, and hides no broken description', async () => {
  const listTools = async () => ({
    tools: [tool, { ...tool, id: 'send', available: false, reason: 'it needs network' }],
    invalid: [{ file: 'waybill.tools/x/tool.json', reason: 'it is no\u001b[31m JSON' }],
  });
  const { stdout } = await cli(['tools'], { program: { listTools } });
  expect(stdout).toContain('not available: it needs network');
  expect(stdout).toContain('invalid: waybill.tools/x/tool.json: it is no');
  expect(stdout).not.toContain('\u001b[31m');
  expect(JSON.parse((await cli(['tools', 'list', '--json'], { program: { listTools } })).stdout).invalid).toHaveLength(
    1,
  );
});

test('a tool that is given no input gets an empty one, as over HTTP; a workflow gets none', async () => {
  const started = recorded(() => inHand(runState()));
  const program = { startSubmitted: started.fn, showRun: async () => runState() };
  await cli(['submit', 'resize', '--here', '--json'], { program });
  await cli(['submit', '--workflow', 'deploy', '--here', '--json'], { program });
  expect(started.calls).toMatchObject([[{ input: {} }], [{ input: null }]]);
});
