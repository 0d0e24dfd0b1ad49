import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import { commandTable } from './command-table.ts';
import { FakeCli, type FakeOptions, type Ran, runId } from './fixtures/fake-host.ts';

let cwd = '';
beforeAll(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-cli-')));
  writeFileSync(join(cwd, 'waybill.config.ts'), 'export default {};\n');
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function cli(args: readonly string[], options: Partial<FakeOptions> = {}): Promise<Ran> {
  return new FakeCli({ cwd, ...options }).run(...args);
}

describe('help', () => {
  test.each(commandTable.map(({ name }) => [name]))(
    '%s --help exits 0 and shows its use; `help` shows the same',
    async (name) => {
      const flag = await cli([name, '--help']);
      expect(flag).toMatchObject({ exitCode: 0, stderr: '' });
      expect(flag.stdout).toContain(`Usage: waybill ${name}`);
      expect(flag.stdout).toContain('xamples:');
      expect(await cli(['help', name])).toEqual(flag);
    },
  );

  test.each([
    ['tasks', 'add'],
    ['tasks', 'list'],
    ['tasks', 'show'],
    ['agents', 'check'],
    ['retention', 'run'],
  ])('%s %s --help exits 0', async (...args) => {
    expect(await cli([...args, '--help'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`Usage: waybill ${args.join(' ')}`),
    });
  });

  test('the list names every command', async () => {
    const { exitCode, stdout } = await cli(['--help']);
    expect(exitCode).toBe(0);
    for (const { name } of commandTable) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test('nothing asked for is a mistake: the help goes to standard error, exit 2', async () => {
    for (const args of [[], ['tasks'], ['agents'], ['retention']]) {
      expect(await cli(args)).toMatchObject({
        exitCode: 2,
        stdout: '',
        stderr: expect.stringContaining('Usage: waybill'),
      });
    }
  });

  test('--version prints the version', async () => {
    expect(await cli(['--version'])).toMatchObject({ exitCode: 0, stdout: '1.2.3\n' });
  });
});

describe('what a person can type wrong', () => {
  test.each<[args: string[], message: string, hint: string]>([
    [['rnu'], "unknown command 'rnu'", 'Did you mean run?'],
    [['taks', 'list'], "unknown command 'taks'", 'Did you mean one of tags, tasks?'],
    [['tasks', 'lst'], "unknown command 'lst'", 'Did you mean list?'],
    [['run', '--tsk', 'A'], "unknown option '--tsk'", 'Did you mean --task?'],
    [['run', '--workflw=x'], "unknown option '--workflw=x'", 'waybill run --help'],
    [['runs', '--jsn'], "unknown option '--jsn'", 'Did you mean --json?'],
    [['run'], 'nothing to run', '--task T-0001'],
    [['run', '--task'], "option '-t, --task <id>' argument missing", 'waybill run --help'],
    [['run', '--task', '../up'], "'../up' is invalid", 'waybill run --help'],
    [['run', '--task', 'A', '--task', 'A'], 'the task A is named twice', 'once'],
    [['run', '--task', 'A', '--input', '1'], '--input belongs to a workflow', '--workflow'],
    [['run', '--workflow', 'a b'], "'a b' is invalid", 'waybill run --help'],
    [['run', 'T-0042'], 'too many arguments', 'waybill run --help'],
    [['exec'], "missing required argument 'command'", 'waybill exec --help'],
    [['exec', '--timeout', '0', '--', 'true'], 'a number of seconds above 0', 'waybill exec --help'],
    [['resume'], 'no run is named', 'waybill runs'],
    [['resume', 'T-0042'], 'not a run id', 'run'],
    [['resume', runId, '--run', 'run-20261122-210500-00000000'], 'two runs are named', 'Name one'],
    [['resume', runId, '--retry-failed'], '--retry-failed needs a reason', '--reason TEXT'],
    [['resume', runId, '--reason', 'x'], '--reason belongs to --retry-failed', 'without'],
    [['resume', runId, '--retry-failed', '--reason', ' '], 'must not be empty', 'waybill resume --help'],
    [['show', 'run-1'], 'A run id looks like', 'waybill show --help'],
    [['show', runId, '--step', '0'], 'a whole number of at least 1', 'waybill show --help'],
    [['show', runId, '--step', '1', '--receipts'], 'exclude each other', ''],
    [['events', runId, '--since', '-1'], 'a whole number of at least 0', 'waybill events --help'],
    [['events', runId, '--since', '1e3'], 'a whole number of at least 0', 'waybill events --help'],
    [['events', runId, '--timeout', '5'], '--timeout belongs to --follow', 'follow'],
    [['runs', '--state', 'done'], 'Known states: queued, running', 'waybill runs --help'],
    [['runs', '--limit', '5000'], '--limit is 1000 at most', '--cursor'],
    [['fork', runId], "required option '--from <step>' not specified", 'waybill fork --help'],
    [['export', runId], 'either --files or --out', 'waybill export --help'],
    [['export', runId, '--files', '--out', 'x'], 'either --files or --out', 'waybill export --help'],
    [['approve'], "missing required argument 'run'", 'waybill approve --help'],
    [['tasks', 'add', '--title', 'x'], "required option '--goal <text>' not specified", 'waybill tasks add --help'],
    [['tasks', 'show', 'a/b'], "'a/b' is invalid", 'waybill tasks show --help'],
    [['mock-agent'], "required option '--script <file>' not specified", 'waybill mock-agent --help'],
  ])('%j exits 2 and says what is wrong and what to do', async (args, message, hint) => {
    const ran = await cli(args);
    expect(ran.exitCode).toBe(2);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toMatch(/^error: /);
    expect(ran.stderr).toContain(message);
    if (hint !== '') expect(ran.stderr).toMatch(/^hint: {2}/m);
    expect(ran.stderr).toContain(hint);
    expect(ran.reported).toHaveLength(1);
    const json = await cli(['--json', ...args]);
    expect(json).toMatchObject({ exitCode: 2, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({
      error: {
        code: expect.stringMatching(/^invalid_(argument|id)$/),
        message: expect.stringContaining(message),
        hint: hint === '' ? null : expect.stringContaining(hint),
        details: null,
        errorId: `err_${'0'.repeat(32)}`,
      },
    });
  });

  test('--json is understood before and behind the command, and not behind --', async () => {
    for (const args of [
      ['--json', 'show', 'x'],
      ['show', 'x', '--json'],
      ['show', '--json', 'x'],
    ]) {
      expect(JSON.parse((await cli(args)).stdout)).toHaveProperty('error.code', 'invalid_argument');
    }
    expect(await cli(['exec', '--nope', '--', '--json'])).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('--nope'),
    });
  });

  test('a folder that is no workspace is exit 2 with the way out', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-none-'));
    try {
      for (const args of [
        ['runs', '--workspace', folder],
        ['-C', folder, 'tasks', 'list'],
      ]) {
        expect(await cli(args)).toMatchObject({
          exitCode: 2,
          stderr: expect.stringMatching(/no workspace here[\s\S]*waybill init[\s\S]*workspace_not_found/),
        });
      }
      expect(await cli(['runs', '-C', join(folder, 'nowhere')])).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('there is no folder'),
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each<[string, string, string]>([
    ['{"a": }', "Unexpected token '}'", '--input'],
    ['', 'Unexpected end of JSON input', '--input'],
    ['@nowhere.json', 'cannot read the file of --input', '@FILE'],
  ])('--input %j is refused without showing what was in it', async (input, message, hint) => {
    const ran = await cli(['run', '--workflow', 'w', '--input', input]);
    expect(ran).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining(message) });
    expect(ran.stderr).toContain(hint);
    if (input.startsWith('{')) expect(ran.stderr).not.toContain(input);
  });
});

describe('errors of the program', () => {
  const failing = (error: unknown): Partial<FakeOptions> => ({
    program: {
      showRun: async () => {
        throw error;
      },
    },
  });

  test.each([
    ['run_not_found', 2],
    ['step_failed', 1],
    ['store_full', 3],
  ] as const)(
    'R24 %s ends with exit code %i, its hint, and an envelope id; the program is closed',
    async (code, exitCode) => {
      const error = new WaybillError(code, 'it is so', { hint: 'do this', details: { n: 1 } });
      const human = await cli(['show', runId], failing(error));
      expect(human).toMatchObject({
        exitCode,
        stdout: '',
        stderr: `error: it is so\nhint:  do this\ncode:  ${code}  (err_${'0'.repeat(32)})\n`,
        closed: true,
      });
      expect(human.reported).toEqual([error]);
      const json = await cli(['show', runId, '--json'], failing(error));
      expect(json).toMatchObject({ exitCode, stderr: '' });
      expect(JSON.parse(json.stdout)).toEqual({
        error: { code, message: 'it is so', hint: 'do this', details: { n: 1 }, errorId: `err_${'0'.repeat(32)}` },
      });
    },
  );

  test('what nobody expected is internal, exit 3; the stack only on demand', async () => {
    const ran = await cli(['show', runId], failing(new TypeError('x is undefined')));
    expect(ran).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('TypeError: x is undefined') });
    expect(ran.stderr).not.toContain('cli.test.ts');
    const debug = await cli(['show', runId], {
      ...failing(new Error('outer', { cause: new Error('inner') })),
      env: { WAYBILL_DEBUG: '1' },
    });
    expect(debug.stderr).toMatch(/cli\.test\.ts[\s\S]*caused by: Error: inner/);
    expect(await cli(['show', runId], failing('a text'))).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('a thrown string'),
    });
  });

  test('control characters of a message never reach the terminal', async () => {
    const ran = await cli(['show', runId], failing(new WaybillError('run_not_found', 'a\u001b[2Jb\u0007c\nd')));
    expect(ran.stderr).toContain('error: ab\\u0007c d\n');
  });

  test('colours only on a terminal, and not when refused', async () => {
    const error = new WaybillError('run_not_found', 'gone');
    const stderr = async (options: Partial<FakeOptions>, ...args: string[]) =>
      (await cli(['show', runId, ...args], { ...failing(error), ...options })).stderr;
    const red = '\u001b[31merror:';
    expect(await stderr({})).not.toContain('\u001b');
    expect(await stderr({ isTerminal: true })).toContain(red);
    expect(await stderr({ isTerminal: true, env: { NO_COLOR: '1' } })).not.toContain('\u001b');
    expect(await stderr({ isTerminal: true, env: { NO_COLOR: '' } })).toContain(red);
    expect(await stderr({ isTerminal: true, env: { TERM: 'dumb' } })).not.toContain('\u001b');
    expect(await stderr({ isTerminal: true }, '--no-color')).not.toContain('\u001b');
    expect(await stderr({ env: { FORCE_COLOR: '1' } })).toContain(red);
  });
});
