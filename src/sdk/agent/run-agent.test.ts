import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentLine, agentLineSchema, type CommandLine, maxLineBytes } from '../../contract/agent-protocol.ts';
import { type AgentDefinition, AgentError, runAgent } from './index.ts';

let workspace: string;
beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'waybill-sdk-agent-'));
});
afterEach(() => rm(workspace, { recursive: true, force: true }));

const key = `ik:${'0b'.repeat(32)}`;
let sent = 0;

function command(more: Partial<CommandLine> = {}): string {
  sent += 1;
  const line = {
    type: 'command',
    messageId: `m${sent}`,
    correlationId: `c${sent}`,
    idempotencyKey: key,
    runId: 'run-20261122-210000-0000abcd',
    task: null,
    step: 'implement',
    attempt: 1,
    resent: false,
    action: 'implement',
    inputs: {},
    expectedOutputs: [],
    snapshot: null,
    workspace,
    deadline: '2026-11-22T23:00:00.000Z',
    priority: 0,
    traceparent: null,
    ...more,
  };
  return `${JSON.stringify(line)}\n`;
}

/** Runs an agent on the given input until it ends; gives back every line it wrote, each checked by the schema. */
async function said(agent: Partial<AgentDefinition>, input: readonly string[], environment = {}): Promise<AgentLine[]> {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const text: Promise<string> = stdout
    .setEncoding('utf8')
    .toArray()
    .then((chunks) => chunks.join(''));
  for (const line of input) stdin.write(line);
  stdin.end();
  await runAgent(
    { name: 'builder', version: '1.0.0', actions: {}, ...agent },
    { input: stdin, output: stdout, environment },
  );
  stdout.end();
  return (await text)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => agentLineSchema.parse(JSON.parse(line)));
}

/** Writes a file with the count of its executions, and claims it. */
function counting() {
  const state = { executions: 0 };
  const actions: AgentDefinition['actions'] = {
    implement: async (_, context) => {
      state.executions += 1;
      await writeFile(join(context.workspace, 'made.txt'), `made ${state.executions}\n`);
      return { outputs: { executions: state.executions }, artifacts: [await context.artifact('made.txt')] };
    },
  };
  return { state, actions };
}

describe('R40 an agent written with the SDK', () => {
  test('R25 says hello, tells of its work, and answers', async () => {
    const lines = await said(
      {
        actions: {
          implement: async ({ inputs }, { log, progress }) => {
            await log('warning', 'careful', { a: 1 });
            await progress('half', { percent: 50 });
            return { outputs: { got: inputs } };
          },
        },
      },
      [command({ inputs: { x: [1] } })],
      { WAYBILL_HEARTBEAT_MS: '25000' },
    );
    const correlationId = `c${sent}`;
    expect(lines).toEqual([
      {
        type: 'hello',
        protocol: 'waybill.agent.v1',
        name: 'builder',
        version: '1.0.0',
        actions: ['implement', 'waybill.check'],
        dedupe: true,
        heartbeatMs: 25_000,
      },
      { type: 'log', level: 'warning', message: 'careful', correlationId, data: { a: 1 } },
      { type: 'event', event: 'progress', correlationId, message: 'half', data: { percent: 50 } },
      { type: 'event', event: 'completed', correlationId, outputs: { got: { x: [1] } }, artifacts: [] },
    ]);
  });

  test('R40 a repeated key gets the same event and artifacts without being done again, across restarts', async () => {
    const { state, actions } = counting();
    const [, first, second] = await said({ actions }, [command(), command({ attempt: 2, resent: true })]);
    const [, third] = await said({ actions }, [command({ attempt: 3, resent: true })]);
    expect(state.executions).toBe(1);
    const { correlationId: a, ...one } = { correlationId: '', ...first };
    const { correlationId: b, ...two } = { correlationId: '', ...second };
    const { correlationId: c, ...three } = { correlationId: '', ...third };
    expect(one).toMatchObject({
      event: 'completed',
      outputs: { executions: 1 },
      artifacts: [{ path: 'made.txt', size: 7 }],
    });
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    expect(new Set([a, b, c]).size).toBe(3);
    const [, other] = await said({ actions }, [command({ idempotencyKey: `ik:${'0c'.repeat(32)}` })]);
    expect(other).toMatchObject({ outputs: { executions: 2 } });
  });

  test('R39 R40 the same key in another run is done again: its memory is its own', async () => {
    const { state, actions } = counting();
    await said({ actions }, [command()]);
    const [, other] = await said({ actions }, [command({ runId: 'run-20261122-210001-0000abcd' })]);
    expect(other).toMatchObject({ outputs: { executions: 2 } });
    const [, first] = await said({ actions }, [command({ resent: true })]);
    expect(state.executions).toBe(3);
    expect(first).toMatchObject({ event: 'completed' });
  });

  test('R40 when an artifact is no longer what it was, the work is done again', async () => {
    const { state, actions } = counting();
    await said({ actions }, [command()]);
    await writeFile(join(workspace, 'made.txt'), 'else 1\n');
    const [, changed] = await said({ actions }, [command()]);
    expect(changed).toMatchObject({ outputs: { executions: 2 } });
    await rm(join(workspace, 'made.txt'));
    await said({ actions }, [command()]);
    expect(state.executions).toBe(3);
  });

  test('R40 failures are not kept, and say whether trying again may help', async () => {
    let tries = 0;
    const actions: AgentDefinition['actions'] = {
      implement: async () => {
        tries += 1;
        if (tries === 1) throw new AgentError('rate_limited', 'the model is busy', { retryable: true });
        if (tries === 2) throw new TypeError('x is not a function');
        return {};
      },
    };
    const lines = await said({ actions }, [command(), command(), command(), command()]);
    expect(lines.slice(1)).toMatchObject([
      { event: 'error', error: { code: 'rate_limited', message: 'the model is busy', retryable: true } },
      { event: 'error', error: { code: 'agent_threw', message: 'x is not a function', retryable: false } },
      { event: 'completed', outputs: {} },
      { event: 'completed', outputs: {} },
    ]);
    expect(tries).toBe(3);
  });

  test('R40 results lie where the workspace is, or where it is told, in files only the owner can read', async () => {
    const { actions } = counting();
    await said({ actions }, [command()]);
    const results = join(workspace, '.waybill/agents/builder/results/run-20261122-210000-0000abcd');
    expect(await readdir(results)).toEqual([`${'0b'.repeat(32)}.json`]);
    expect((await stat(join(results, `${'0b'.repeat(32)}.json`))).mode & 0o777).toBe(0o600);
    expect((await stat(results)).mode & 0o777).toBe(0o700);
    expect(JSON.parse(await readFile(join(results, `${'0b'.repeat(32)}.json`), 'utf8'))).toMatchObject({
      idempotencyKey: key,
    });
    const elsewhere = join(workspace, 'elsewhere');
    await said({ actions }, [command()], { WAYBILL_AGENT_STATE: elsewhere });
    expect(await readdir(elsewhere)).toEqual(['results']);
  });

  test('R40 a kept result that was damaged is no result', async () => {
    const { state, actions } = counting();
    await said({ actions }, [command()]);
    const file = join(
      workspace,
      '.waybill/agents/builder/results/run-20261122-210000-0000abcd',
      `${'0b'.repeat(32)}.json`,
    );
    for (const damage of [
      '',
      '{"idempotencyKey":',
      JSON.stringify({ idempotencyKey: `ik:${'0'.repeat(64)}`, outputs: {}, artifacts: [] }),
    ]) {
      await writeFile(file, damage);
      const before = state.executions;
      const [, line] = await said({ actions }, [command()]);
      expect(line).toMatchObject({ event: 'completed', outputs: { executions: before + 1 } });
    }
  });

  test('R40 waybill.check tells one execution from another', async () => {
    const check = (idempotencyKey: string) => command({ action: 'waybill.check', idempotencyKey });
    const lines = await said({}, [check(key), check(key), check(`ik:${'0c'.repeat(32)}`)]);
    const executions = lines
      .slice(1)
      .map((line) => (line.type === 'event' && line.event === 'completed' ? line.outputs.execution : undefined));
    expect(executions[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(executions[1]).toBe(executions[0]);
    expect(executions[2]).not.toBe(executions[0]);
  });

  test('R26 its heart beats while it works, more often than it promised, and not before or after', async () => {
    const implement = () => new Promise<object>((resolve) => setTimeout(resolve, 200, {}));
    const lines = await said({ heartbeatMs: 40, actions: { implement } }, [command(), command()]);
    const beats = lines.filter((line) => line.type === 'heartbeat').map((line) => line.correlationId);
    expect(beats.filter((id) => id === `c${sent - 1}`).length).toBeGreaterThanOrEqual(4);
    // The second one is answered from memory: at once, unless the machine is busy.
    expect([`c${sent - 1}`, `c${sent}`]).toEqual(expect.arrayContaining(beats));
    expect(lines[0]).toMatchObject({ type: 'hello', heartbeatMs: 40 });
    expect(lines.slice(-2).map((line) => line.type)).toEqual(['event', 'event']);
  });

  test.each([
    [
      'while it works: the action is told and may finish',
      `process.stderr.write('working\\n')`,
      'working',
      ['told', 'event'],
    ],
    ['while it waits', '0', 'hello', []],
  ])('SIGTERM ends it %s', async (_, begin, sign, after) => {
    const module = pathToFileURL(join(import.meta.dirname, 'index.ts')).href;
    const code = `
      const { runAgent } = await import(${JSON.stringify(module)});
      const implement = async (_, { signal, log }) => {
        ${begin};
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await log('info', 'told');
        return {};
      };
      await runAgent({ name: 'builder', version: '1', actions: { implement } });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: workspace });
    let out = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      all += chunk;
    });
    child.stderr.on('data', (chunk) => {
      all += chunk;
    });
    const ended = once(child, 'exit');
    if (sign === 'working') child.stdin.write(command());
    await expect.poll(() => all, { timeout: 10_000 }).toContain(sign);
    const before = out.length;
    child.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
    const said = out
      .slice(before)
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    expect(said.map((line) => JSON.parse(line)).map((line) => line.message ?? line.type)).toEqual(after);
  });

  test('an unknown action, also one every object has, is an error event', async () => {
    const lines = await said({}, [
      command({ action: 'fly' }),
      command({ action: 'constructor' }),
      command({ action: 'toString' }),
    ]);
    expect(lines.slice(1)).toMatchObject(
      Array(3).fill({ event: 'error', error: { code: 'unknown_action', retryable: false } }),
    );
  });

  test('R10 an artifact must be a file inside the workspace', async () => {
    await writeFile(join(workspace, '..', 'waybill-outside.txt'), '');
    const paths = ['missing.txt', '../waybill-outside.txt', '.', '/etc/passwd'];
    const actions: AgentDefinition['actions'] = {
      implement: async ({ inputs }, { artifact }) => ({ artifacts: [await artifact(String(inputs.path))] }),
    };
    const lines = await said(
      { actions },
      paths.map((path) => command({ inputs: { path } })),
    );
    await rm(join(workspace, '..', 'waybill-outside.txt'));
    expect(lines.slice(1)).toMatchObject(Array(4).fill({ event: 'error', error: { code: 'agent_threw' } }));
  });

  test('R25 an answer that is too long for a line becomes an error event, and is not kept', async () => {
    const lines = await said(
      { actions: { implement: async () => ({ outputs: { text: 'x'.repeat(maxLineBytes) } }) } },
      [command()],
    );
    expect(lines[1]).toMatchObject({ event: 'error', error: { message: expect.stringContaining('use a file') } });
    await expect(readdir(join(workspace, '.waybill'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('R25 a command of exactly the limit is done, one of a byte more ends the agent', async () => {
    const actions: AgentDefinition['actions'] = {
      implement: async ({ inputs }) => ({ outputs: { bytes: String(inputs.padding).length } }),
    };
    const padded = (bytes: number) => {
      const bare = command({ inputs: { padding: '' } });
      return bare.replace('"padding":""', `"padding":"${'x'.repeat(bytes - (Buffer.byteLength(bare) - 1))}"`);
    };
    const lines = await said({ actions }, [padded(maxLineBytes)]);
    expect(lines[1]).toMatchObject({ event: 'completed' });
    await expect(said({ actions }, [padded(maxLineBytes + 1)])).rejects.toMatchObject({ name: 'LineTooLong' });
  });

  test.each([
    ['that is not JSON', 'hello\n'],
    ['that is no command', '{"type":"command"}\n'],
    ['whose key could become a path', command({ idempotencyKey: 'ik:../../../../etc/passwd' })],
  ])('a line %s ends the agent', async (_, line) => {
    await expect(said({}, [line])).rejects.toThrow();
  });
});
