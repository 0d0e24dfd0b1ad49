import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent } from '../../contract/evidence.ts';
import {
  event,
  eventsOf,
  FakeCli,
  type FakeOptions,
  inHand,
  type Ran,
  receipt,
  runId,
  runState,
} from './fixtures/fake-host.ts';
import type { RunInHand } from './program.ts';

let cwd = '';
beforeEach(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-commands-')));
  writeFileSync(join(cwd, 'waybill.config.ts'), 'export default {};\n');
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(args: readonly string[], options: Partial<FakeOptions> = {}): Promise<Ran> {
  return new FakeCli({ cwd, ...options }).run(...args);
}

/** Remembers what a faked method was asked. */
function recorded<A extends unknown[], R>(
  answer: (...args: A) => R,
): { readonly calls: A[]; readonly fn: (...args: A) => Promise<R> } {
  const calls: A[] = [];
  return {
    calls,
    fn: async (...args) => {
      calls.push(args);
      return answer(...args);
    },
  };
}

const ledger: readonly LedgerEvent[] = [
  event(1, 'run.started'),
  event(2, 'attempt.started', {}, 'implement'),
  event(3, 'step.succeeded', {}, 'implement'),
];

describe('run', () => {
  test('R38 several tasks run in order in one run, with a live transcript on standard error', async () => {
    const start = recorded(() => inHand(runState({ output: { ok: true } })));
    const ran = await cli(['run', '--task', 'A', '-t', 'B', '--key', 'k'], {
      program: { startRun: start.fn, events: (_, request) => eventsOf(ledger, request) },
    });
    expect(start.calls).toEqual([[{ workflow: 'task', tasks: ['A', 'B'], input: null, key: 'k' }]]);
    expect(ran).toMatchObject({ exitCode: 0, closed: true, stdout: `${runId} succeeded\n{\n  "ok": true\n}\n` });
    expect(ran.stderr).toBe(`${runId} started\n  ▸ implement\n  ✓ implement 500 ms\n`);
  });

  test('with --json standard output has the events as lines, then the run, and nothing else', async () => {
    const ran = await cli(['run', '--task', 'A', '--json'], {
      program: { startRun: async () => inHand(runState()), events: (_, request) => eventsOf(ledger, request) },
    });
    const lines = ran.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.slice(0, 3)).toEqual(ledger);
    expect(lines[3]).toMatchObject({ schema: 'waybill.run.v1', runId, createdAt: '2026-11-22T21:05:00.123Z' });
    expect(lines).toHaveLength(4);
    expect(ran.stderr).toBe('');
  });

  test.each<[typed: string, stdin: string, input: unknown]>([
    ['{"a": [1]}', '', { a: [1] }],
    ['"text"', '', 'text'],
    ['@input.json', '', { from: 'file' }],
    ['-', '[1, 2]', [1, 2]],
  ])('--input %s', async (typed, input, expected) => {
    writeFileSync(join(cwd, 'input.json'), '{"from": "file"}');
    const start = recorded(() => inHand(runState()));
    expect((await cli(['run', '-w', 'deploy', '-i', typed], { input, program: { startRun: start.fn } })).exitCode).toBe(
      0,
    );
    expect(start.calls).toEqual([[{ workflow: 'deploy', tasks: [], input: expected, key: null }]]);
  });

  test.each<[Partial<ReturnType<typeof runState>>, string]>([
    [
      { state: 'failed', reason: { code: 'tests_failed', message: '2 failed' } },
      `next:   waybill resume ${runId} --retry-failed --reason TEXT\n`,
    ],
    [{ state: 'canceled', reason: { code: 'run_canceled', message: 'by x' } }, ''],
    [{ state: 'running', interrupted: true, resume: `waybill resume ${runId}` }, `next:   waybill resume ${runId}\n`],
    [{ state: 'waiting' }, `next:   waybill resume ${runId}\n`],
  ])('only success is exit 0, so that `waybill run && publish` is safe: %j', async (change, stderr) => {
    const ran = await cli(['run', '-w', 'w'], { program: { startRun: async () => inHand(runState(change)) } });
    expect(ran).toMatchObject({ exitCode: 1, stderr });
  });

  test('what is committed while the follower looks away is printed all the same, once', async () => {
    // The live follower sees two events; the third becomes visible only when the run is done.
    const ran = await cli(['run', '-w', 'w', '--json'], {
      program: {
        startRun: async () => inHand(runState()),
        events: (_, request) => eventsOf(request.follow ? ledger.slice(0, 2) : ledger, request),
      },
    });
    const seqs = ran.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).seq);
    expect(seqs).toEqual([1, 2, 3, undefined]);
  });

  test('a follower that breaks does not leave the run alone: it is reported when the run is done', async () => {
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof runState>>();
    const ran = await cli(['run', '-w', 'w'], {
      program: {
        startRun: async () => inHand(runState(), { finished: promise }),
        events: async function* () {
          setImmediate(() => resolve(runState()));
          throw new WaybillError('store_corrupt', 'cannot read');
        },
      },
    });
    expect(ran).toMatchObject({ exitCode: 3, closed: true, stderr: expect.stringContaining('cannot read') });
  });

  test('a run that only sleeps is gone on with when it is due; one that waits for a person is not', async () => {
    const step = { scope: [], name: 'nap', occurrence: 1 };
    const pending = (action: string) => [{ step, action, attempt: 1, idempotencyKey: `ik:${'b'.repeat(64)}` }];
    const sleeping = runState({
      state: 'waiting',
      wakeAt: new Date(Date.now() + 30).toISOString(),
      pending: pending('sleep'),
    });
    const all = [
      event(1, 'run.started'),
      event(2, 'sleep.started', {}, 'nap'),
      event(4, 'run.resumed'),
      event(5, 'run.succeeded'),
    ];
    let passes = 1;
    const resume = recorded(() => {
      passes = 2;
      return inHand(runState(), { how: 'resumed', since: 2 });
    });
    const ran = await cli(['run', '-w', 'w'], {
      program: {
        startRun: async () => inHand(sleeping),
        resumeRun: resume.fn,
        events: (_, request) => eventsOf(passes === 1 ? all.slice(0, 2) : all, request),
      },
    });
    expect(ran.exitCode).toBe(0);
    expect(resume.calls).toEqual([[runId, { retryFailed: null, acceptDrift: false }]]);
    expect(ran.stderr).toContain('succeeded after 2.0 s');
    const asking = { ...sleeping, pending: [...pending('sleep'), ...pending('approval')] };
    expect(await cli(['run', '-w', 'w'], { program: { startRun: async () => inHand(asking) } })).toMatchObject({
      exitCode: 1,
    });
  });

  test('--no-wait starts the same command in the background and prints the run id', async () => {
    const asked: (readonly string[])[] = [];
    const startInBackground = (args: readonly string[]) => {
      asked.push(args);
      return { pid: 7, first: ledger[0] === undefined ? null : { runId: ledger[0].runId } };
    };
    const ran = await cli(['exec', '--no-wait', '--', 'sh', '-c', 'true', '--no-wait'], { startInBackground });
    expect(ran).toMatchObject({ exitCode: 0, stdout: `${runId}\n`, stderr: expect.stringContaining('process 7') });
    expect(asked).toEqual([['--json', 'exec', '--', 'sh', '-c', 'true', '--no-wait']]);
    expect(JSON.parse((await cli(['run', '-t', 'A', '--no-wait', '--json'], { startInBackground })).stdout)).toEqual({
      runId,
      pid: 7,
    });
  });

  test('what keeps a background run from starting is told as if it had happened here', async () => {
    const first = {
      error: { code: 'config_failed', message: 'line 3', hint: 'correct it', details: null, errorId: null },
    };
    const ran = await cli(['run', '-t', 'A', '--no-wait'], { startInBackground: () => ({ pid: 7, first }) });
    expect(ran).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(/^error: line 3\nhint: {2}correct it\ncode: {2}config_failed/),
    });
  });
});

describe('signals', () => {
  /** A run that ends only when it is stopped. */
  function endless(): { readonly run: RunInHand; readonly stops: string[] } {
    const stops: string[] = [];
    const { promise, reject } = Promise.withResolvers<never>();
    const stop = (signal: string) => {
      stops.push(signal);
      reject(new WaybillError('interrupted', 'stopped'));
    };
    return { run: inHand(runState(), { finished: promise, stop }), stops };
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('R22 %s ends the run in order, leaves it resumable, and exits %i', async (signal, exitCode) => {
    const { run, stops } = endless();
    const interrupted = runState({ state: 'running', interrupted: true, resume: `waybill resume ${runId}` });
    const fake = new FakeCli({
      cwd,
      program: {
        startRun: async () => run,
        showRun: async () => interrupted,
        events: (_, request) => {
          if (request.follow) setImmediate(() => fake.send(signal));
          return eventsOf([], request);
        },
      },
    });
    const ran = await fake.run('run', '-w', 'w');
    expect(ran).toMatchObject({
      exitCode,
      closed: true,
      stdout: `${runId} interrupted\n`,
      stderr: expect.stringContaining(`waybill resume ${runId}`),
    });
    expect(stops).toEqual([signal]);
    expect(fake.listening).toBe(false);
    expect(fake.exited).toBeUndefined();
  });

  test('R22 a run stopped before it has begun exits 130 too', async () => {
    const fake: FakeCli = new FakeCli({
      cwd,
      program: {
        startRun: async () => {
          fake.send('SIGINT');
          throw new WaybillError('interrupted', 'this process is ending');
        },
      },
    });
    const ran = await fake.run('run', '-w', 'w');
    expect(ran).toMatchObject({ exitCode: 130, closed: true, stderr: expect.stringContaining('interrupted') });
  });

  test('R22 a second SIGINT ends the process at once', async () => {
    const fake = new FakeCli({
      cwd,
      program: {
        startRun: async () => inHand(runState(), { finished: new Promise(() => {}) }),
        events: (_, request) => {
          setImmediate(() => {
            fake.send('SIGINT');
            expect(fake.exited).toBeUndefined();
            expect(() => fake.send('SIGINT')).toThrow('the process is gone');
            gone.resolve();
          });
          return eventsOf([], request);
        },
      },
    });
    const gone = Promise.withResolvers<void>();
    void fake.run('run', '-w', 'w');
    await gone.promise;
    expect(fake.exited).toBe(130);
  });

  test('SIGTERM ends events --follow and wait', async () => {
    for (const command of ['events', 'wait']) {
      const fake: FakeCli = new FakeCli({
        cwd,
        program: {
          showRun: async () => runState({ state: 'running', lastSeq: 1 }),
          events: (_, request) => {
            setImmediate(() => fake.send('SIGTERM'));
            return eventsOf([], request);
          },
        },
      });
      const ran = await fake.run(command, runId, ...(command === 'events' ? ['--follow'] : []));
      expect(ran).toMatchObject({ exitCode: 143, closed: true });
    }
  });
});

describe('resume and fork', () => {
  test('R36 `resume RUN` and `resume --run RUN` are the same', async () => {
    for (const args of [
      ['resume', runId],
      ['resume', '--run', runId],
      ['resume', runId, '--run', runId],
    ]) {
      const resume = recorded(() => inHand(runState(), { how: 'resumed' }));
      expect((await cli(args, { program: { resumeRun: resume.fn } })).exitCode).toBe(0);
      expect(resume.calls).toEqual([[runId, { retryFailed: null, acceptDrift: false }]]);
    }
  });

  test('R15 --retry-failed hands the reason on; R23 --accept-drift', async () => {
    const resume = recorded(() => inHand(runState()));
    await cli(['resume', runId, '--retry-failed', '--reason', 'network was down', '--accept-drift'], {
      program: { resumeRun: resume.fn },
    });
    expect(resume.calls).toEqual([[runId, { retryFailed: { reason: 'network was down' }, acceptDrift: true }]]);
  });

  test('R21 resuming what has succeeded does nothing and says so; what was canceled is refused', async () => {
    const finished = (state: string) => async () => {
      throw new WaybillError('run_finished', `run is ${state}`, { details: { state } });
    };
    const program = { resumeRun: finished('succeeded'), showRun: async () => runState() };
    expect(await cli(['resume', runId], { program })).toMatchObject({
      exitCode: 0,
      stdout: `${runId} succeeded\n`,
      stderr: `${runId} has succeeded: there is nothing left to do.\n`,
    });
    expect(await cli(['resume', runId], { program: { resumeRun: finished('canceled') } })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('run_finished'),
    });
  });

  test('R18 fork hands step and key on; the same key again executes nothing', async () => {
    const fork = recorded(() => inHand(runState(), { how: 'existing' }));
    const ran = await cli(['fork', runId, '--from', 'review#2', '--key', 'k'], { program: { forkRun: fork.fn } });
    expect(fork.calls).toEqual([[runId, { from: 'review#2', key: 'k', acceptDrift: false }]]);
    expect(ran).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('no second run') });
  });
});

describe('exec', () => {
  test('everything behind -- is the command, options of ours included', async () => {
    const start = recorded(() => inHand(runState()));
    await cli(['exec', '--timeout', '1.5', '--allow-env', 'CI', '--', 'npm', 'test', '--json', '--', '-x'], {
      program: { startRun: start.fn },
    });
    const input = { command: ['npm', 'test', '--json', '--', '-x'], allowEnv: ['CI'], deadlineMs: 1500 };
    expect(start.calls).toEqual([[{ workflow: 'exec', tasks: [], input, key: null }]]);
  });
});

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
    const followed = await cli(['events', runId, '--follow', '--timeout', '0.05', '--json'], { program });
    expect(followed).toMatchObject({ exitCode: 0, stdout: ledger.map((each) => `${JSON.stringify(each)}\n`).join('') });
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

  test('wait ends with the run, with the loss of its holder, or with its own time', async () => {
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
        stderr: expect.stringContaining('wait_timeout'),
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
    expect(ran).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/failed[\s\S]*intact[\s\S]*3 events/) });
    const problems = [{ where: 'event 2', message: 'digest differs' }];
    const broken = await cli(['verify', runId], {
      program: { verifyRun: async () => ({ ...report, intact: false, problems }) },
    });
    expect(broken).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('event 2: digest differs') });
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
    const retention = recorded(({ dryRun }: { dryRun: boolean }) => ({ dryRun, tables }));
    const ran = await cli(['retention', 'run', '--dry-run'], { program: { runRetention: retention.fn } });
    expect(retention.calls).toEqual([[{ dryRun: true }]]);
    expect(ran.stdout).toMatch(/would remove[\s\S]*infra_error_events +3 +9 +older than 90 days/);
  });
});
