import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandSchema, maxLineBytes } from '../../contract/agent-protocol.ts';
import { WaybillError } from '../../contract/errors.ts';
import type { AgentSettings } from '../../domain/runs/ports.ts';
import { systemClock } from '../../platform/clock/clock.ts';
import { unlimitedCommandLine } from './command-line.ts';
import { command, mockAgent, program, Scene, within } from './fixtures/scene.ts';

/** An agent in a few lines, for what the mock agent has no word for: `answer(command)` gives the lines to write. */
function agent(answer: string, hello = ''): readonly string[] {
  return program(`
    const say = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
    say({ type: 'hello', protocol: 'waybill.agent.v1', name: 'tiny', version: '1', actions: [], dedupe: false, ${hello} });
    const completed = (command, outputs) =>
      say({ type: 'event', event: 'completed', correlationId: command.correlationId, outputs, artifacts: [] });
    let text = '';
    process.stdin.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      for (let end = text.indexOf('\\n'); end !== -1; end = text.indexOf('\\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        const command = JSON.parse(line);
        ${answer}
      }
    });
  `);
}

const echo = agent('completed(command, { got: command.inputs, bytes: Buffer.byteLength(line) });');

describe('R25 a session over stdio', () => {
  test('R25 hands over what the agent said of itself, and its answer', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({ command: mockAgent('well-behaved') });
    expect(session.agent).toEqual({ name: 'mock', version: '1.0.0', dedupe: true });
    const answer = await session.send(command(), within(8000));
    expect(answer.outputs).toEqual({ done: true });
    expect(answer.artifacts).toEqual([
      {
        path: 'src/answer.txt',
        size: 3,
        digest: 'sha256:084c799cd551dd1d8d5c5f9a5d593b2e931f5e36122ee5c793c1d08a19839cc0',
      },
    ]);
    expect(scene.notes).toEqual([{ kind: 'progress', level: 'info', message: 'half way', data: { percent: 50 } }]);
    expect(session.usable).toBe(true);
    expect((await session.close(1000)).left).toBe(0);
    expect(session.usable).toBe(false);
  });

  test('R25 a command line of exactly 262,144 bytes is sent whole, one more is refused before it is sent', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({ command: echo });
    const bare = command({ padding: '' });
    const room = maxLineBytes - unlimitedCommandLine(bare, scene.context, 8000, systemClock).bytes;
    const longest = { ...bare, inputs: { padding: 'x'.repeat(room) } };
    expect((await session.send(longest, within(8000))).outputs.bytes).toBe(maxLineBytes);
    const tooLong = { ...bare, inputs: { padding: 'x'.repeat(room + 1) } };
    await expect(session.send(tooLong, within(8000))).rejects.toMatchObject({
      code: 'invalid_input',
      hint: expect.stringContaining('file'),
      details: { bytes: maxLineBytes + 1, limit: maxLineBytes, retryable: false },
    });
    expect(session.usable).toBe(true);
    expect((await session.send(command({ still: 'here' }), within(8000))).outputs.got).toEqual({ still: 'here' });
  });

  test('R25 commands sent at once are done one after the other, each with its own answer', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({ command: agent('setTimeout(() => completed(command, command.inputs), 20);') });
    const inputs = [1, 2, 3, 4, 5].map((n) => ({ n }));
    const answers = await Promise.all(inputs.map((input) => session.send(command(input), within(8000))));
    expect(answers.map((answer) => answer.outputs)).toEqual(inputs);
  });

  test('R11 R40 a command carries its key, attempt and resent mark, and ids of its own each time', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({ command: agent('completed(command, command);') });
    const first = (await session.send(command(), within(8000))).outputs;
    const again = (await session.send(command({}, { attempt: 2, resent: true }), within(8000))).outputs;
    expect(first).toMatchObject({
      attempt: 1,
      resent: false,
      workspace: scene.workspace,
      priority: 0,
      traceparent: null,
    });
    expect(again).toMatchObject({ attempt: 2, resent: true, idempotencyKey: first.idempotencyKey });
    for (const line of [first, again]) expect(commandSchema.safeParse(line).error).toBeUndefined();
    expect(again.messageId).not.toBe(first.messageId);
    expect(again.correlationId).not.toBe(first.correlationId);
    expect(Date.parse(String(first.deadline))).toBeGreaterThan(Date.now());
  });
});

describe('R27 what is configured takes effect', () => {
  test('R27 the time for the hello', async () => {
    await using scene = await Scene.create();
    const late = program(`setTimeout(() => {}, 60_000);`);
    const startedAt = performance.now();
    await expect(scene.open({ command: late, helloTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'agent_no_hello',
      details: { retryable: true, kill: { left: 0 } },
    });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
    expect(await scene.alive()).toBe(0);
  });

  test('R27 the deadline of a command', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({
      command: agent('setTimeout(() => completed(command, {}), command.inputs.ms);'),
    });
    await session.send(command({ ms: 300 }), within(5000));
    await expect(session.send(command({ ms: 60_000 }), within(300))).rejects.toMatchObject({
      code: 'agent_timeout',
      details: { agent: 'builder', deadlineMs: 300, retryable: true, kill: { left: 0 } },
    });
    expect(session.usable).toBe(false);
    await expect(session.send(command({ ms: 0 }), within(300))).rejects.toMatchObject({ code: 'agent_timeout' });
  });

  test.each([
    [2, 'agent_heartbeat_lost', 20_000],
    [1000, undefined, 300],
  ])('R27 after %s missed heartbeats: %s', async (missedHeartbeats, code, silentMs) => {
    await using scene = await Scene.create();
    const silent = agent(`setTimeout(() => completed(command, {}), ${silentMs});`, 'heartbeatMs: 50');
    const session = await scene.open({ command: silent, heartbeatMs: 50, missedHeartbeats });
    const outcome = await session.send(command(), within(8000)).catch((error: unknown) => error);
    expect(outcome instanceof WaybillError ? outcome.code : undefined).toBe(code);
  });

  test('R27 the interval of the heartbeat: the longer of what we ask and what the agent promised', async () => {
    await using scene = await Scene.create();
    for (const [asked, promised] of [
      [50, 5000],
      [5000, 50],
    ]) {
      const silent = agent('setTimeout(() => completed(command, {}), 400);', `heartbeatMs: ${promised}`);
      const session = await scene.open({ command: silent, heartbeatMs: asked ?? 0, missedHeartbeats: 1 });
      expect((await session.send(command(), within(8000))).outputs).toEqual({});
    }
  });

  test('R27 an agent that promised no heartbeat is measured by its deadline alone', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({
      command: agent('setTimeout(() => completed(command, { slow: true }), 400);'),
      heartbeatMs: 20,
      missedHeartbeats: 1,
    });
    expect((await session.send(command(), within(8000))).outputs).toEqual({ slow: true });
  });

  test('R27 a slow ledger of ours is not held against the agent', async () => {
    await using scene = await Scene.create();
    const chatty = agent(
      `for (let n = 0; n < 3; n++) say({ type: 'log', level: 'info', message: String(n) });
       completed(command, {});`,
      'heartbeatMs: 200',
    );
    const notes: string[] = [];
    const onNote = async ({ message }: { message: string }) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      notes.push(message);
    };
    const session = await scene.open({ command: chatty, heartbeatMs: 200, missedHeartbeats: 2 }, { onNote });
    await session.send(command(), within(8000));
    expect(notes).toEqual(['0', '1', '2']);
  });
});

describe('the order in which a session begins and ends', () => {
  test('R26 the process is durable before its program begins', async () => {
    await using scene = await Scene.create();
    const file = join(scene.workspace, 'began');
    const writer = program(`
      const { writeFileSync } = await import('node:fs');
      writeFileSync('began', '');
      process.stdout.write('{"type":"hello","protocol":"waybill.agent.v1","name":"t","version":"1","actions":[],"dedupe":false}\\n');
      setInterval(() => {}, 60_000);
    `);
    let beganBefore: boolean | undefined;
    const onProcess = async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      beganBefore = await readFile(file).then(
        () => true,
        () => false,
      );
    };
    await scene.open({ command: writer }, { onProcess });
    expect(beganBefore).toBe(false);
    expect(await readFile(file, 'utf8')).toBe('');
  });

  test('R26 when the process cannot be made durable its program never begins', async () => {
    await using scene = await Scene.create();
    const onProcess = async () => {
      throw new WaybillError('lease_lost', 'another runner holds the run');
    };
    await expect(scene.open({ command: echo }, { onProcess })).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await scene.alive()).toBe(0);
  });

  test('R26 a note that cannot be kept ends the session with the reason, and the agent', async () => {
    await using scene = await Scene.create();
    const onNote = async () => {
      throw new WaybillError('store_full', 'no space left');
    };
    const session = await scene.open({ command: mockAgent('many-log-lines') }, { onNote });
    await expect(session.send(command(), within(8000))).rejects.toMatchObject({ code: 'store_full' });
    expect(await scene.alive()).toBe(0);
  });

  test('R26 a program that does not exist', async () => {
    await using scene = await Scene.create();
    await expect(scene.open({ command: ['no-such-program-of-ours'] })).rejects.toMatchObject({
      code: 'agent_spawn_failed',
      message: expect.stringContaining('no-such-program-of-ours'),
      details: { retryable: false },
    });
    expect(scene.processes).toEqual([]);
  });

  test('an abort ends the process before the command is rejected', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({ command: mockAgent('ignores-sigterm'), graceMs: 200 });
    const abort = new AbortController();
    const answer = session.send(command(), { deadlineMs: 8000, signal: abort.signal });
    const waiting = session.send(command({ second: true }), { deadlineMs: 8000, signal: abort.signal });
    setTimeout(() => abort.abort(), 200);
    await expect(answer).rejects.toMatchObject({ code: 'canceled', details: { retryable: false } });
    expect(await scene.alive()).toBe(0);
    await expect(waiting).rejects.toMatchObject({ code: 'canceled' });
    expect(session.usable).toBe(false);
  });

  test('closing a session rejects the command it works on', async () => {
    await using scene = await Scene.create();
    const session = await scene.open({ command: mockAgent('never-answers') });
    const answer = session.send(command(), within(8000));
    const rejected = expect(answer).rejects.toMatchObject({ code: 'agent_exited', details: { phase: 'closed' } });
    expect((await session.close(500)).left).toBe(0);
    await rejected;
    expect(await scene.alive()).toBe(0);
    await expect(session.send(command(), within(100))).rejects.toMatchObject({ code: 'agent_exited' });
  });

  test('R26 an answer that was the last thing a dying agent wrote counts, also behind many notes', async () => {
    await using scene = await Scene.create();
    const dying = agent(`
      for (let n = 0; n < 500; n++) say({ type: 'log', level: 'info', message: 'x'.repeat(200) });
      completed(command, { last: 'words' });
      process.stdout.write('', () => process.exit(0));
    `);
    let slow = 0;
    const onNote = async () => {
      slow += 1;
      if (slow % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const session = await scene.open({ command: dying }, { onNote });
    expect((await session.send(command(), within(8000))).outputs).toEqual({ last: 'words' });
    expect(slow).toBe(500);
    await expect(session.send(command(), within(8000))).rejects.toMatchObject({
      code: 'agent_exited',
      details: { phase: 'after', exitCode: 0 },
    });
  });

  test('R26 no note comes between commands: what an idle agent writes waits for the next one', async () => {
    await using scene = await Scene.create();
    const file = join(scene.workspace, 'written');
    const restless = agent(`
      process.stderr.write('before the answer\\n', () => {
        completed(command, {});
        setTimeout(() => {
          process.stderr.write('idle\\n');
          say({ type: 'log', level: 'info', message: 'idle too' });
          process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(file)}, '');
        }, 50);
      });
    `);
    const session = await scene.open({ command: restless });
    await session.send(command(), within(8000));
    expect(scene.notes.map((note) => note.message)).toEqual(['before the answer']);
    await expect.poll(() => readFile(file, 'utf8').catch(() => undefined), { timeout: 5000 }).toBe('');
    await new Promise((resolve) => setImmediate(resolve));
    expect(scene.notes.length).toBe(1);
    await session.send(command({ n: 2 }), within(8000));
    expect(scene.notes.map((note) => note.message).sort()).toEqual(
      ['before the answer', 'before the answer', 'idle', 'idle too'].sort(),
    );
  });

  test('R26 a second answer that comes late is met by the next command', async () => {
    await using scene = await Scene.create();
    const file = join(scene.workspace, 'twice');
    const twice = agent(`
      completed(command, {});
      setTimeout(() => { completed(command, {}); process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(file)}, ''); }, 100);
    `);
    const session = await scene.open({ command: twice });
    await session.send(command(), within(8000));
    await expect.poll(() => readFile(file, 'utf8').catch(() => undefined), { timeout: 5000 }).toBe('');
    await expect(session.send(command({ n: 2 }), within(8000))).rejects.toMatchObject({
      code: 'agent_duplicate_answer',
    });
  });
});

describe('R28 what an agent gets to see, and what we keep of what it says', () => {
  const asking: Partial<AgentSettings> = { command: agent('completed(command, { ...process.env });') };

  test('R28 secrets of the parent do not reach it, what is allowed and set does', async () => {
    const environment = {
      PATH: process.env.PATH,
      NPM_TOKEN: 'npm_parent_secret_value',
      OPENAI_API_KEY: 'sk-allowed-secret-value',
      SSH_AUTH_SOCK: '/tmp/agent.sock',
    };
    await using scene = await Scene.create(environment);
    const session = await scene.open(
      { ...asking, allowEnv: ['OPENAI_API_KEY'], setEnv: { MODE: 'fast' } },
      { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    );
    const { outputs } = await session.send(command(), within(8000));
    expect(outputs).toMatchObject({
      OPENAI_API_KEY: 'sk-allowed-secret-value',
      MODE: 'fast',
      WAYBILL_RUN_ID: 'run-20261122-210000-0000abcd',
      WAYBILL_HEARTBEAT_MS: '1000',
      TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      WAYBILL_TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect(Object.keys(outputs)).not.toContain('NPM_TOKEN');
    expect(Object.keys(outputs)).not.toContain('SSH_AUTH_SOCK');
  });

  test('R28 a secret it was given is taken out of its logs, its stderr, its error and the tail in a failure', async () => {
    const secret = randomBytes(16).toString('hex');
    await using scene = await Scene.create();
    const leaky = agent(`
      const secret = process.env.LEAKY_TOKEN;
      say({ type: 'log', level: 'info', message: 'using ' + secret, data: { nested: [secret] } });
      say({ type: 'event', event: 'progress', correlationId: command.correlationId, message: secret });
      process.stderr.write('stderr ' + secret + '\\n', () => {
        if (command.inputs.exit) process.exit(1);
        say({ type: 'event', event: 'error', correlationId: command.correlationId,
          error: { code: 'denied', message: 'bad token ' + secret, retryable: false } });
      });
    `);
    const session = await scene.open({ command: leaky, setEnv: { LEAKY_TOKEN: secret } });
    const denied = await session.send(command(), within(8000)).catch((error: unknown) => error);
    const ended = await session.send(command({ exit: true }), within(8000)).catch((error: unknown) => error);
    expect(denied).toMatchObject({ code: 'agent_error', details: { agentCode: 'denied' } });
    expect(ended).toMatchObject({
      code: 'agent_exited',
      details: { stderr: expect.stringContaining('stderr [redacted') },
    });
    const kept = JSON.stringify(
      [scene.notes, denied, ended].map((one) => (one instanceof WaybillError ? [one.message, one.details] : one)),
    );
    expect(scene.notes.length).toBeGreaterThanOrEqual(4);
    expect(kept).not.toContain(secret);
  });
});

describe('R29 names', () => {
  test.each(['../builder', 'a/b', '', '.', 'a\0b', 'x'.repeat(200)])('R29 %j is no name of an agent', async (name) => {
    await using scene = await Scene.create();
    await expect(scene.open({ name, command: echo })).rejects.toMatchObject({ code: 'invalid_id' });
    expect(scene.processes).toEqual([]);
  });

  test('R29 an agent that calls itself a path is refused', async () => {
    await using scene = await Scene.create();
    const script = join(scene.workspace, 'hello.json');
    const line = JSON.stringify({
      type: 'hello',
      protocol: 'waybill.agent.v1',
      name: '../up',
      version: '1',
      actions: [],
      dedupe: false,
    });
    await writeFile(script, line);
    await expect(scene.open({ command: ['sh', '-c', 'cat hello.json; echo; sleep 60'] })).rejects.toMatchObject({
      code: 'agent_bad_hello',
      details: { reason: expect.stringContaining('name') },
    });
  });
});
