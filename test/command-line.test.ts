import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { ledgerEventSchema, runStateSchema } from '../src/contract/evidence.ts';

// The real program in processes of its own, as a person or a script starts it. Each start takes a moment, and
// other tests share the machine: the time-out is for hanging, not for slowness.
vi.setConfig({ testTimeout: 90_000 });
const bin = fileURLToPath(new URL('../bin/waybill', import.meta.url));

let root = '';
let started: ChildProcess[] = [];
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-command-line-')));
  started = [];
  writeFileSync(
    join(root, 'waybill.config.ts'),
    `import { defineConfig, defineWorkflow, z } from 'waybill';
setInterval(() => {}, 60_000); // no command may hang on what a configuration leaves open
const input: z.ZodType<{ n: number }> = z.object({ n: z.number() });
const add = defineWorkflow('add', { input }, async (run, { n }) => run.step('add', { n }, () => n + 1));
const slow = defineWorkflow('slow', async (run) => {
  await run.exec(['sh', '-c', 'echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done'], { name: 'hold' });
  return run.step('after', {}, () => 'done');
});
const gate = defineWorkflow('gate', async (run) => (await run.approval('release', { prompt: 'Ship it?' })).approved);
export default defineConfig({ workflows: [add, slow, gate], snapshot: { exclude: ['pid', 'go'] } });
`,
  );
});
afterEach(async () => {
  for (const child of started) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  }
  rmSync(root, { recursive: true, force: true });
});

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function begin(...args: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(bin, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    printed.stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    printed.stderr += String(chunk);
  });
  const ended = once(child, 'close').then(([exitCode]) => ({
    exitCode: z.number().nullable().parse(exitCode),
    ...printed,
  }));
  return { child, ended };
}

function waybill(...args: string[]): Promise<Ended> {
  return begin(...args).ended;
}

async function document<T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> {
  return schema.parse(JSON.parse((await waybill(...args, '--json')).stdout));
}

const runsSchema = z.object({
  runs: z.array(z.object({ runId: z.string(), state: z.string(), interrupted: z.boolean() })),
});

async function newestRun(): Promise<string> {
  const [run] = (await document(runsSchema, 'runs')).runs;
  if (run === undefined) throw new Error('there is no run');
  return run.runId;
}

/** Resolves when the step of `slow` is at work. */
async function untilAtWork(): Promise<void> {
  await vi.waitFor(() => expect(existsSync(join(root, 'pid'))).toBe(true), { timeout: 15_000, interval: 20 });
}

function letGo(): void {
  writeFileSync(join(root, 'go'), '');
}

describe('run', () => {
  test('R36 with --json every line of standard output is an event or, at last, the run; each fits its schema', async () => {
    const { exitCode, stdout, stderr } = await waybill('run', '--workflow', 'add', '--input', '{"n": 41}', '--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const run = runStateSchema.parse(lines.at(-1));
    const events = lines.slice(0, -1).map((line) => ledgerEventSchema.parse(line));
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: run.lastSeq }, (_, index) => index + 1));
    expect(run).toMatchObject({ state: 'succeeded', output: 42, terminalEvent: { type: 'run.succeeded' } });
    expect(await document(runStateSchema.loose(), 'show', run.runId)).toMatchObject(run);
  });

  test('a transcript for people is on standard error; standard output has the result alone', async () => {
    const { exitCode, stdout, stderr } = await waybill('run', '-w', 'add', '-i', '{"n": 1}');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^run-\S+ succeeded\n2\n$/);
    expect(stderr).toMatch(/^run-\S+ started\n {2}▸ add\n {2}✓ add \d+ ms\nsucceeded after [\d.]+ m?s\n$/);
  });

  test.each<[args: string[], code: string]>([
    [['run', '-w', 'add', '-i', '{"n": "x"}'], 'invalid_input'],
    [['run', '-w', 'nope'], 'workflow_not_found'],
    [['run', '--task', 'T-9'], 'task_not_found'],
    [['show', 'run-20260101-000000-00000000'], 'run_not_found'],
    [['tasks', 'show', 'T-9'], 'task_not_found'],
    [['runs', '--workspace', '/'], 'workspace_not_found'],
  ])('%j exits 2 with %s', async (args, code) => {
    const { exitCode, stdout } = await waybill(...args, '--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code } });
  });

  test('R44 a broken configuration is an error with file, line and reason, exit 2, and no run is made', async () => {
    writeFileSync(
      join(root, 'waybill.config.ts'),
      'import { defineConfig } from "waybill";\nexport default defineConfig({ agents: , });\n',
    );
    const { exitCode, stderr } = await waybill('run', '-w', 'add');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`Expression expected (${join(root, 'waybill.config.ts')}:2)`);
    expect(existsSync(join(root, '.waybill', 'waybill.db'))).toBe(false);
  });

  test('--no-wait prints the id of a run that goes on without this process; wait waits for it', async () => {
    const { exitCode, stdout } = await waybill('run', '-w', 'slow', '--no-wait');
    expect(exitCode).toBe(0);
    const runId = stdout.trim();
    await untilAtWork();
    expect(await document(runStateSchema.loose(), 'show', runId)).toMatchObject({
      state: 'running',
      interrupted: false,
      holder: { alive: true },
    });
    const waiting = begin('wait', runId);
    letGo();
    expect(await waiting.ended).toMatchObject({ exitCode: 0, stdout: `${runId} succeeded\ndone\n` });
    expect(await waybill('run', '-w', 'add', '-i', '{"n": "x"}', '--no-wait')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('invalid_input'),
    });
  });
});

test('F33 retention run says what it removed, kept and why', async () => {
  const report = z.object({
    dryRun: z.boolean(),
    tables: z.array(z.object({ table: z.string(), removed: z.int(), kept: z.int(), reason: z.string() })).min(1),
  });
  await waybill('show', 'run-20260101-000000-00000000'); // leaves one envelope
  const { tables, dryRun } = await document(report, 'retention', 'run', '--dry-run');
  expect(dryRun).toBe(true);
  expect(tables).toContainEqual({ table: 'infra_error_events', removed: 0, kept: 1, reason: 'kept for 90 days' });
});

describe('a run that is stopped', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('R22 %s ends its processes in order, leaves it resumable, and exits %i', async (signal, exitCode) => {
    const run = begin('run', '-w', 'slow');
    await untilAtWork();
    run.child.kill(signal);
    const ended = await run.ended;
    expect(ended).toMatchObject({
      exitCode,
      stdout: expect.stringMatching(/^run-\S+ interrupted\n$/),
      stderr: expect.stringContaining('next:   waybill resume run-'),
    });
    const runId = await newestRun();
    const events = (await waybill('events', runId, '--json')).stdout
      .trimEnd()
      .split('\n')
      .map((line) => ledgerEventSchema.parse(JSON.parse(line)));
    expect(events.at(-1)).toMatchObject({ type: 'run.interrupted', data: { signal } });
    expect(await document(runStateSchema.loose(), 'show', runId)).toMatchObject({
      state: 'running',
      interrupted: true,
      holder: null,
      resume: `waybill resume ${runId}`,
    });
    letGo();
    expect(await waybill('resume', '--run', runId)).toMatchObject({
      exitCode: 0,
      stdout: `${runId} succeeded\ndone\n`,
    });
    expect(await waybill('verify', runId)).toMatchObject({ exitCode: 0 });
  });

  test('R36 a run whose holder was killed shows interrupted: true and how to resume it, never plain running', async () => {
    const run = begin('run', '-w', 'slow');
    await untilAtWork();
    run.child.kill('SIGKILL');
    await run.ended;
    const runId = await newestRun();
    expect(await document(runStateSchema.loose(), 'show', runId)).toMatchObject({
      interrupted: true,
      resume: `waybill resume ${runId}`,
      currentStep: { name: 'hold' },
    });
    const shown = await waybill('show', runId);
    expect(shown.stdout).toContain(`${runId} interrupted`);
    expect(shown.stdout).toContain(`waybill resume ${runId}`);
    expect(shown.stdout).not.toContain('running');
    expect((await waybill('runs')).stdout).toContain('interrupted');
    expect(await waybill('wait', runId)).toMatchObject({ exitCode: 1, stdout: `${runId} interrupted\n` });
    letGo();
    expect(await waybill('resume', runId)).toMatchObject({ exitCode: 0 });
    expect(await document(runStateSchema.loose(), 'show', runId)).toMatchObject({
      state: 'succeeded',
      interrupted: false,
      resume: null,
    });
  });

  test('R21 of two resumes at once one works, the other is told who has the lease', async () => {
    const run = begin('run', '-w', 'slow');
    await untilAtWork();
    run.child.kill('SIGKILL');
    await run.ended;
    const runId = await newestRun();
    rmSync(join(root, 'pid'));
    const first = begin('resume', runId);
    await untilAtWork();
    const second = await waybill('resume', runId, '--json');
    expect(second.exitCode).toBe(2);
    expect(JSON.parse(second.stdout)).toMatchObject({
      error: { code: 'lease_held', message: expect.stringContaining(`process ${first.child.pid}`) },
    });
    letGo();
    expect(await first.ended).toMatchObject({ exitCode: 0 });
  });

  test('R21 resume of a succeeded run does nothing and says so; of a canceled run it is refused', async () => {
    await waybill('run', '-w', 'add', '-i', '{"n": 1}');
    const succeeded = await newestRun();
    const before = await document(runStateSchema.loose(), 'show', succeeded);
    expect(await waybill('resume', succeeded)).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('nothing left to do'),
    });
    expect(await document(runStateSchema.loose(), 'show', succeeded)).toEqual(before);
    await waybill('run', '-w', 'gate');
    const canceled = await newestRun();
    expect(await waybill('cancel', canceled)).toMatchObject({ exitCode: 0 });
    expect(await waybill('resume', canceled)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('invalid_transition'),
    });
  });

  test('R42 cancel from a second terminal ends the run of the first one', async () => {
    const run = begin('run', '-w', 'slow');
    await untilAtWork();
    expect(await waybill('cancel', await newestRun(), '--comment', 'wrong branch')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('canceled'),
    });
    expect(await run.ended).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^run-\S+ canceled\n$/) });
  });

  test('R42 a run that waits keeps no process; the answer is kept, and the next resume goes on with it', async () => {
    expect(await waybill('run', '-w', 'gate')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('waiting for approval'),
    });
    const runId = await newestRun();
    expect(await waybill('approve', runId)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('approved') });
    expect(await waybill('resume', runId)).toMatchObject({ exitCode: 0, stdout: `${runId} succeeded\ntrue\n` });
    expect(await waybill('deny', runId)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('run_not_waiting'),
    });
  });
});

test('R38 several tasks run in order in one run, each as its file says, and the transcript shows the findings', async () => {
  writeFileSync(
    join(root, 'waybill.config.ts'),
    `import { appendFileSync } from 'node:fs';
import { defineConfig } from 'waybill';
let reviews = 0;
export default defineConfig({
  agents: {
    builder: { handler: ({ task, action, inputs }) => {
      appendFileSync('work.txt', \`\${task} \${action} \${inputs.goal}\\n\`);
      return { outputs: { tests: { passed: 1, failed: 0 } } };
    } },
    reviewer: { handler: () => (++reviews === 1
      ? { outputs: { verdict: 'changes_requested', findings: [{ path: 'work.txt', line: 1, message: 'say it louder' }] } }
      : { outputs: { verdict: 'approved' } }) },
    specMaintainer: { handler: () => ({ outputs: { verdict: 'updated' } }) },
  },
});
`,
  );
  await waybill('tasks', 'add', 'T-B', '--title', 'Second', '--goal', 'do B');
  await waybill('tasks', 'add', 'T-A', '--title', 'First', '--goal', 'do A', '--check', 'grep -q "do A" work.txt');
  const { exitCode, stdout, stderr } = await waybill('run', '--task', 'T-A', '--task', 'T-B');
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: expect.stringMatching(/^run-\S+ succeeded\n/),
  });
  expect(readFileSync(join(root, 'work.txt'), 'utf8')).toBe(
    'T-A implement do A\nT-A implement_changes do A\nT-B implement do B\n',
  );
  const steps = [...stderr.matchAll(/^ {2}✓ (\S+)/gm)].map(([, step]) => step);
  expect(steps).toEqual([
    'T-A/implement',
    'T-A/review',
    'T-A/implement_changes',
    'T-A/review',
    'T-A/update_spec',
    'T-B/implement',
    'T-B/review',
    'T-B/update_spec',
  ]);
  expect(stderr).toContain('    - work.txt:1 say it louder\n');
  expect(await waybill('run', '--task', 'T-A', '--task', 'T-AA')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/there is no task T-AA[\s\S]*Did you mean T-A\?/),
  });
});
