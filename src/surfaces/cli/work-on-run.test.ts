import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import type { LedgerEvent } from '../../contract/evidence.ts';
import { event, eventsOf, FakeCli, type FakeOptions, inHand, type Ran, runId, runState } from './fixtures/fake-host.ts';
import { recorded } from './fixtures/recorded.ts';
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
      throw new WaybillError('invalid_transition', `run is ${state}`, { details: { state } });
    };
    const program = { resumeRun: finished('succeeded'), showRun: async () => runState() };
    expect(await cli(['resume', runId], { program })).toMatchObject({
      exitCode: 0,
      stdout: `${runId} succeeded\n`,
      stderr: `${runId} has succeeded: there is nothing left to do.\n`,
    });
    expect(await cli(['resume', runId], { program: { resumeRun: finished('canceled') } })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('invalid_transition'),
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
