import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent, RunState } from '../../contract/evidence.ts';
import {
  event,
  eventsOf,
  FakeCli,
  type FakeOptions,
  type Ran,
  receipt,
  runId,
  runState,
} from './fixtures/fake-host.ts';
import { recorded } from './fixtures/recorded.ts';

let cwd = '';
beforeEach(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-commands-')));
  writeFileSync(join(cwd, 'waybill.config.ts'), 'export default {};\n');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(args: readonly string[], options: Partial<FakeOptions> = {}): Promise<Ran> {
  return new FakeCli({ cwd, ...options }).run(...args);
}

const ledger: readonly LedgerEvent[] = [
  event(1, 'run.started'),
  event(2, 'attempt.started', {}, 'implement'),
  event(3, 'step.succeeded', {}, 'implement'),
];

describe('looking at runs', () => {
  test('runs lists rows and the way on; the filters arrive', async () => {
    const list = recorded(() => ({
      runs: [runState(), runState({ state: 'running', interrupted: true, finishedAt: null })],
      nextCursor: 'c2',
    }));
    const args = [
      'runs',
      '--state',
      'failed',
      '--state',
      'canceled',
      '--workflow',
      'task',
      '--task',
      'T-1',
      '--limit',
      '2',
      '--cursor',
      'c1',
    ];
    const human = await cli(args, { program: { listRuns: list.fn } });
    expect(list.calls).toEqual([
      [{ states: ['failed', 'canceled'], workflow: 'task', task: 'T-1', limit: 2, cursor: 'c1' }],
    ]);
    const lines = human.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^run-20261122-210500-0a1b2c3d +succeeded +task +T-0042 +1 +2026-11-22 21:05:00 +2\.9 s$/);
    expect(lines[2]).toMatch(/ interrupted /);
    expect(lines[3]).toBe('more: waybill runs --cursor c2');
    const json = JSON.parse((await cli(['runs', '--json'], { program: { listRuns: list.fn } })).stdout);
    expect(json).toMatchObject({ runs: [{ runId, state: 'succeeded' }, { interrupted: true }], nextCursor: 'c2' });
    expect((await cli(['runs'], { program: { listRuns: async () => ({ runs: [], nextCursor: null }) } })).stdout).toBe(
      'No runs.\n',
    );
  });

  test('R36 show says where a run is and what to do next', async () => {
    const interrupted = runState({
      state: 'running',
      interrupted: true,
      resume: `waybill resume ${runId}`,
      finishedAt: null,
    });
    const program = { showRun: async () => interrupted };
    const human = await cli(['show', runId], { program });
    expect(human.stdout).toMatch(new RegExp(`^${runId} interrupted\n`));
    expect(human.stdout).toContain(`waybill resume ${runId}`);
    expect(human.stdout).not.toContain('running');
    expect(JSON.parse((await cli(['show', runId, '--json'], { program })).stdout)).toMatchObject({
      state: 'running',
      interrupted: true,
      resume: `waybill resume ${runId}`,
    });
  });

  test('R9 show --receipts lists them, --step N prints one', async () => {
    const failed = receipt({
      number: 2,
      outcome: 'failed',
      failure: { code: 'tests_failed', message: 'two', retryable: false },
    });
    const one = recorded(() => failed);
    const program = {
      receipts: async () => [receipt({ runId: 'run-20261121-000000-00000000' }), failed],
      receipt: one.fn,
    };
    const human = await cli(['show', runId, '--receipts'], { program });
    expect(human.stdout).toMatch(/1 +succeeded +implement +implement +T-0042 +1 +1\.5 s +shared with run-20261121/);
    expect(human.stdout).toMatch(/2 +failed/);
    expect(JSON.parse((await cli(['show', runId, '--receipts', '--json'], { program })).stdout).receipts).toHaveLength(
      2,
    );
    const step = await cli(['show', runId, '--step', '2'], { program });
    expect(one.calls).toEqual([[runId, 2]]);
    expect(step.stdout).toContain('tests_failed: two');
    expect(JSON.parse((await cli(['show', runId, '--step', '2', '--json'], { program })).stdout)).toEqual(
      JSON.parse(JSON.stringify(failed)),
    );
  });

  test('events prints a line each, from a number on; with --json as they are stored', async () => {
    const program = {
      showRun: async () => runState(),
      events: (_: string, request: Parameters<typeof eventsOf>[1]) => eventsOf(ledger, request),
    };
    expect((await cli(['events', runId], { program })).stdout.trimEnd().split('\n')).toHaveLength(3);
    const json = await cli(['events', runId, '--since', '1', '--json'], { program });
    expect(json.stdout).toBe(`${JSON.stringify(ledger[1])}\n${JSON.stringify(ledger[2])}\n`);
  });

  test('D26 events --follow whose time is over says so and gives the cursor, unless the run is finished', async () => {
    const program = (run: RunState) => ({
      showRun: async () => run,
      events: (_: string, request: Parameters<typeof eventsOf>[1]) => eventsOf(ledger, request),
    });
    const args = ['events', runId, '--follow', '--timeout', '0.05', '--json'];
    const lines = ledger.map((each) => JSON.stringify(each));
    const over = await cli(args, { program: program(runState({ state: 'running', lastSeq: 3 })) });
    expect(over.exitCode).toBe(1);
    const printed = over.stdout.trimEnd().split('\n');
    expect(printed.slice(0, 3)).toEqual(lines);
    expect(JSON.parse(printed[3] ?? '')).toMatchObject({
      error: { code: 'wait_timeout', details: { runId, cursor: 3 }, hint: expect.stringContaining('--since 3') },
    });
    const finished = runState({ terminalEvent: { seq: 3, type: 'run.succeeded' } });
    expect(await cli(args, { program: program(finished) })).toMatchObject({
      exitCode: 0,
      stdout: `${lines.join('\n')}\n`,
    });
  });

  test('events --follow ends when nobody reads any more', async () => {
    const fake: FakeCli = new FakeCli({
      cwd,
      program: {
        showRun: async () => runState(),
        events: (_, request) => {
          setImmediate(() => fake.closeOutput());
          return eventsOf([], request);
        },
      },
    });
    expect(await fake.run('events', runId, '--follow')).toMatchObject({ exitCode: 0, closed: true });
  });

  test('events of an unknown run is an error, never an empty ledger', async () => {
    const showRun = async () => {
      throw new WaybillError('run_not_found', 'no such run');
    };
    expect(await cli(['events', runId], { program: { showRun } })).toMatchObject({ exitCode: 2, stdout: '' });
  });

  test('D26 wait ends with the run, with the loss of its holder, or with its own time', async () => {
    const states = [
      runState({ state: 'running', lastSeq: 1 }),
      runState({ terminalEvent: { seq: 3, type: 'run.succeeded' } }),
    ];
    const program = {
      showRun: async () => states.shift() ?? runState(),
      events: (_: string, request: Parameters<typeof eventsOf>[1]) => eventsOf(ledger, request),
    };
    expect(await cli(['wait', runId], { program })).toMatchObject({ exitCode: 0, stdout: `${runId} succeeded\n` });
    const lost = runState({ state: 'running', interrupted: true });
    expect(await cli(['wait', runId], { program: { showRun: async () => lost } })).toMatchObject({
      exitCode: 1,
      stdout: `${runId} interrupted\n`,
    });
    const failed = runState({
      state: 'failed',
      terminalEvent: { seq: 3, type: 'run.failed' },
      reason: { code: 'tests_failed', message: '2 failed' },
    });
    expect(await cli(['wait', runId], { program: { showRun: async () => failed } })).toMatchObject({
      exitCode: 1,
      stderr: `reason: tests_failed: 2 failed\nnext:   waybill resume ${runId} --retry-failed --reason TEXT\n`,
    });
    const running = runState({ state: 'running' });
    expect(await cli(['wait', runId, '--timeout', '0.1'], { program: { showRun: async () => running } })).toMatchObject(
      {
        exitCode: 1,
        stderr: expect.stringMatching(/the last event is 3[\s\S]*--since 3[\s\S]*wait_timeout/),
      },
    );
  });
});

describe('requests', () => {
  const step = (name: string) => ({
    step: { scope: [], name, occurrence: 1 },
    action: 'approval',
    attempt: 1,
    idempotencyKey: `ik:${'b'.repeat(64)}`,
  });

  test.each<[args: string[], request: object]>([
    [['cancel', runId, '--comment', 'why'], { kind: 'cancel', comment: 'why' }],
    [['pause', runId], { kind: 'pause' }],
    [['approve', runId], { kind: 'approve', step: 'release', comment: null }],
    [['deny', runId, 'other', '--comment', 'no'], { kind: 'deny', step: 'other', comment: 'no' }],
    [['signal', runId, 'deployed', '--payload', '{"v":1}'], { kind: 'signal', name: 'deployed', payload: { v: 1 } }],
    [['signal', runId, 'deployed'], { kind: 'signal', name: 'deployed', payload: null }],
  ])('R42 %j', async (args, request) => {
    const asked = recorded(() => ({ outcome: 'done', by: 'holder' }) as const);
    const program = {
      requestRun: asked.fn,
      showRun: async () => runState({ state: 'waiting', pending: [step('release')] }),
    };
    const ran = await cli([...args, '--key', 'k'], { program });
    expect(asked.calls).toEqual([[runId, request, 'k']]);
    expect(ran.exitCode).toBe(0);
    expect(JSON.parse((await cli([...args, '--json'], { program })).stdout)).toMatchObject({
      outcome: 'done',
      by: 'holder',
      run: { runId },
    });
  });

  test('R42 an approval is named when there are several, and missed when there is none', async () => {
    const approve = (pending: ReturnType<typeof step>[]) =>
      cli(['approve', runId], { program: { showRun: async () => runState({ state: 'waiting', pending }) } });
    expect(await approve([])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('run_not_waiting') });
    expect(await approve([step('a'), step('b')])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('several approvals: a, b'),
    });
  });
});

describe('evidence', () => {
  test('R13 export names what to write; paths are from where they were typed', async () => {
    const done = recorded(() => ({ runId, path: '/x/out.json', files: 1, bytes: 10, digest: 'sha256:x' }));
    await cli(['export', runId, '--out', 'out.json'], { program: { exportRun: done.fn } });
    const ran = await cli(['export', runId, '--files', '--json'], { program: { exportRun: done.fn } });
    expect(done.calls).toEqual([
      [runId, { kind: 'bundle', out: join(cwd, 'out.json') }],
      [runId, { kind: 'files' }],
    ]);
    expect(JSON.parse(ran.stdout)).toMatchObject({ runId, bytes: 10 });
  });

  test('R13 import says whether it was new', async () => {
    const done = (created: boolean) => ({
      program: { importBundle: async () => ({ runId, created, events: 3, receipts: 1 }) },
    });
    expect((await cli(['import', 'b.json'], done(true))).stdout).toContain('imported: 3 events, 1 receipts');
    expect((await cli(['import', 'b.json'], done(false))).stdout).toContain('was here already');
  });

  const report = {
    subject: runId,
    intact: true,
    problems: [],
    authentic: 'not_checked',
    checked: { events: 3 },
    runId,
    state: 'failed',
  } as const;

  test('R7 an intact run verifies with exit 0 though it failed; a broken one names the first bad link', async () => {
    const ran = await cli(['verify', runId], { program: { verifyRun: async () => report } });
    expect(ran).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/is intact\n[\s\S]*failed[\s\S]*3 events/),
    });
    const problems = [{ where: 'event 2', message: 'digest differs' }];
    const broken = await cli(['verify', runId], {
      program: { verifyRun: async () => ({ ...report, intact: false, problems }) },
    });
    expect(broken).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/is broken\n.*event 2: digest differs/),
    });
  });

  test('a file or folder needs no workspace; a key must have signed it', async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-verify-')));
    try {
      for (const [authentic, exitCode] of [
        ['signed', 0],
        ['unsigned', 1],
        ['wrong_key', 1],
      ] as const) {
        const verify = recorded(() => ({ ...report, authentic }));
        const ran = await cli(['verify', 'b.json', '--key', 'k.pub', '--json'], {
          cwd: folder,
          tools: { verifyPath: verify.fn },
        });
        expect(verify.calls).toEqual([[join(folder, 'b.json'), join(folder, 'k.pub')]]);
        expect(ran.exitCode).toBe(exitCode);
        expect(JSON.parse(ran.stdout)).toMatchObject({ intact: true, authentic });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the workspace', () => {
  test('init makes it once and says so both times', async () => {
    rmSync(join(cwd, 'waybill.config.ts'));
    expect(await cli(['init'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/is a workspace now[\s\S]*made waybill\.config\.ts[\s\S]*Try it/),
    });
    expect(await cli(['init'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/already: nothing was changed[\s\S]*kept waybill\.config\.ts/),
    });
    expect(JSON.parse((await cli(['init', '--json'])).stdout)).toMatchObject({ root: cwd, created: [] });
  });

  test('R38 tasks add, list and show; an unknown id exits 2 and names the nearest', async () => {
    writeFileSync(join(cwd, 'goal.md'), 'Say bonjour.\n');
    const added = await cli([
      'tasks',
      'add',
      'T-0042',
      '--title',
      'French',
      '--goal',
      '@goal.md',
      '--check',
      'npm test',
      '--output',
      'a.js',
    ]);
    expect(added).toMatchObject({ exitCode: 0, stdout: 'T-0042 waybill.tasks/T-0042.md\n' });
    expect(readFileSync(join(cwd, 'waybill.tasks', 'T-0042.md'), 'utf8')).toContain('Say bonjour.');
    expect((await cli(['tasks', 'list'])).stdout).toBe('T-0042  French\n');
    expect((await cli(['tasks', 'show', 'T-0042'])).stdout).toMatch(
      /T-0042 French[\s\S]*sh -c npm test[\s\S]*Say bonjour\./,
    );
    expect(JSON.parse((await cli(['tasks', 'show', 'T-0042', '--json'])).stdout)).toMatchObject({
      id: 'T-0042',
      goal: 'Say bonjour.',
    });
    expect(await cli(['tasks', 'show', 'T-0024'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Did you mean T-0042?'),
    });
    writeFileSync(join(cwd, 'waybill.tasks', 'bad.md'), 'no task');
    expect(JSON.parse((await cli(['tasks', 'list', '--json'])).stdout).tasks).toMatchObject([
      { id: 'T-0042', error: null },
      { id: null, error: { code: 'task_invalid' } },
    ]);
  });
});

describe('tools', () => {
  test('R40 agents check passes the command on; one failed case is exit 1, and so are none', async () => {
    const cases = [{ name: 'says hello', passed: true, message: null }];
    const check = recorded((_: readonly string[]) => ({ agent: { name: 'builder', version: '1' }, cases }));
    expect(
      await cli(['agents', 'check', '--', 'node', 'a.mjs', '--json'], { tools: { checkAgent: check.fn } }),
    ).toMatchObject({
      exitCode: 0,
      stdout: 'builder 1\n  ✓ says hello\n1 of 1 cases passed\n',
    });
    expect(check.calls[0]?.[0]).toEqual(['node', 'a.mjs', '--json']);
    // The check has a folder of its own: files that are named from here keep their place.
    writeFileSync(join(cwd, 'a.mjs'), '');
    await cli(['agents', 'check', '--', './start', 'a.mjs', 'b.mjs'], { tools: { checkAgent: check.fn } });
    expect(check.calls[1]?.[0]).toEqual([join(cwd, 'start'), join(cwd, 'a.mjs'), 'b.mjs']);
    const failing = { agent: null, cases: [...cases, { name: 'repeats', passed: false, message: 'two answers' }] };
    expect(await cli(['agents', 'check', '--', 'x'], { tools: { checkAgent: async () => failing } })).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('✗ repeats: two answers'),
    });
    expect(
      await cli(['agents', 'check', '--', 'x'], { tools: { checkAgent: async () => ({ agent: null, cases: [] }) } }),
    ).toMatchObject({ exitCode: 1 });
  });

  test('R30 mock-agent plays its script and ends with its exit code', async () => {
    const mock = recorded(() => 7);
    expect(await cli(['mock-agent', '--script', 's.json'], { tools: { mockAgent: mock.fn } })).toMatchObject({
      exitCode: 7,
      stdout: '',
    });
    expect(mock.calls).toEqual([[join(cwd, 's.json')]]);
  });

  test('F33 retention run says what it removed, kept and why', async () => {
    const tables = [{ table: 'infra_error_events', removed: 3, kept: 9, reason: 'older than 90 days' }];
    const blocked = [{ run: 'run-1', why: 'version v1 was built by it' }];
    const retention = recorded(({ dryRun }: { dryRun: boolean }) => ({ dryRun, tables, blocked }));
    const ran = await cli(['retention', 'run', '--dry-run'], { program: { runRetention: retention.fn } });
    expect(retention.calls).toEqual([[{ dryRun: true }]]);
    expect(ran.stdout).toMatch(/would remove[\s\S]*infra_error_events +3 +9 +older than 90 days/);
    expect(ran.stdout).toMatch(/kept beyond its time[\s\S]*run-1 +version v1 was built by it/);
  });
});
