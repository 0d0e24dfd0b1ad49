import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { maxLineBytes } from '../../contract/agent-protocol.ts';
import type { AgentSettings } from '../../domain/runs/ports.ts';
import { command, mockAgent, program, Scene, within } from './fixtures/scene.ts';

const exec = (argv: readonly string[], more: Partial<AgentSettings> = {}): Partial<AgentSettings> => ({
  transport: 'exec',
  command: argv,
  ...more,
});
const shell = (script: string, more: Partial<AgentSettings> = {}) => exec(['sh', '-c', script], more);

/** Reads its command, then runs `answer(command)`. */
const answering = (answer: string) =>
  exec(
    program(`
      let text = '';
      for await (const chunk of process.stdin) text += chunk;
      const command = JSON.parse(text);
      const say = (line) => console.log(JSON.stringify(line));
      const { correlationId } = command;
      ${answer}
    `),
  );

describe('the transport exec', () => {
  test('the last answering event is the answer, notes are notes', async () => {
    await using scene = await Scene.create();
    const session = await scene.open(
      answering(`
        say({ type: 'log', level: 'warning', message: 'hm' });
        say({ type: 'event', event: 'completed', correlationId, outputs: { n: 1 }, artifacts: [] });
        console.log('plain words');
        say({ type: 'event', event: 'completed', correlationId, outputs: { n: command.inputs.n }, artifacts: [] });
      `),
    );
    expect((await session.send(command({ n: 7 }), within(8000))).outputs).toEqual({ n: 7 });
    expect((await session.send(command({ n: 8 }), within(8000))).outputs).toEqual({ n: 8 });
    expect(scene.processes.length).toBe(2);
    expect(scene.notes.slice(0, 2)).toEqual([
      { kind: 'log', level: 'warning', message: 'hm' },
      { kind: 'log', level: 'info', message: 'plain words' },
    ]);
    expect(session.agent).toEqual({ name: 'builder', version: 'exec', dedupe: false });
    expect((await session.close(100)).left).toBe(0);
    await expect(session.send(command(), within(100))).rejects.toMatchObject({ code: 'canceled' });
  });

  test('an ordinary command is an agent too: its output is the answer, its expected files are claimed', async () => {
    await using scene = await Scene.create();
    const session = await scene.open(shell('echo one; printf hello > made.txt; printf two'));
    const answer = await session.send(command({}, { expectedOutputs: ['made.txt', 'not-made.txt'] }), within(8000));
    expect(answer).toEqual({
      outputs: { text: 'one\ntwo' },
      artifacts: [
        {
          path: 'made.txt',
          size: 5,
          digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        },
      ],
    });
  });

  test('an expected output outside the workspace is not looked at', async () => {
    await using scene = await Scene.create();
    const session = await scene.open(shell('echo done'));
    await expect(
      session.send(command({}, { expectedOutputs: ['../../etc/passwd'] }), within(8000)),
    ).rejects.toMatchObject({ code: 'invalid_path' });
  });

  test('of a long plain output the end is the answer', async () => {
    await using scene = await Scene.create();
    const session = await scene.open(shell('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done'));
    const { text } = (await session.send(command(), within(8000))).outputs;
    expect(String(text).length).toBe(65_536);
    expect(String(text).endsWith('line 19999\n')).toBe(true);
  });

  test('R26 an answer does not count when the exit code says otherwise', async () => {
    await using scene = await Scene.create();
    const session = await scene.open(
      answering(`
        say({ type: 'event', event: 'completed', correlationId, outputs: {}, artifacts: [] });
        console.error('and yet it failed');
        process.exitCode = 4;
      `),
    );
    await expect(session.send(command(), within(8000))).rejects.toMatchObject({
      code: 'agent_exited',
      details: { exitCode: 4, retryable: true, stderr: 'and yet it failed' },
    });
    expect(session.usable).toBe(true);
  });

  test('R26 an error event is the failure, whatever the exit code', async () => {
    await using scene = await Scene.create();
    const failing = `say({ type: 'event', event: 'error', correlationId, error: { code: 'busy', message: 'later', retryable: true } });`;
    for (const exit of ['', 'process.exitCode = 1;']) {
      const session = await scene.open(answering(failing + exit));
      await expect(session.send(command(), within(8000))).rejects.toMatchObject({
        code: 'agent_error',
        details: { agentCode: 'busy', retryable: true },
      });
    }
  });

  test.each([
    ['wrong-correlation', 'agent_wrong_correlation', 8000],
    ['line-too-long', 'agent_line_too_long', 8000],
    ['no-newline', 'agent_line_too_long', 8000],
    ['exits-during', 'agent_exited', 8000],
    ['dies-by-signal', 'agent_exited', 8000],
    ['never-answers', 'agent_timeout', 700],
    ['ignores-sigterm', 'agent_timeout', 700],
  ])('R26 the mock agent that %s ends in %s', async (fixture, code, deadlineMs) => {
    await using scene = await Scene.create();
    const session = await scene.open(exec(mockAgent(fixture), { graceMs: 300 }));
    const startedAt = performance.now();
    await expect(session.send(command(), within(deadlineMs))).rejects.toMatchObject({ code });
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs + 300 + 6000);
    expect(await scene.alive()).toBe(0);
  });

  test.each(['well-behaved', 'leaves-grandchild', 'line-of-exactly-the-limit'])(
    'R26 the mock agent that is %s answers here too, and nothing of it is left',
    async (fixture) => {
      await using scene = await Scene.create();
      const session = await scene.open(exec(mockAgent(fixture)));
      expect(Object.keys((await session.send(command(), within(8000))).outputs).length).toBeGreaterThan(0);
      expect(await scene.alive()).toBe(0);
    },
  );

  test('R25 a line of one byte too many is refused, plain output included', async () => {
    await using scene = await Scene.create();
    const plain = (bytes: number) => exec(program(`process.stdout.write('x'.repeat(${bytes}))`));
    const fits = await scene.open(plain(maxLineBytes));
    expect(String((await fits.send(command(), within(8000))).outputs.text).length).toBe(65_536);
    const tooLong = await scene.open(plain(maxLineBytes + 1));
    await expect(tooLong.send(command(), within(8000))).rejects.toMatchObject({ code: 'agent_line_too_long' });
  });

  test('an abort, and closing, end the process before the command is rejected', async () => {
    await using scene = await Scene.create();
    for (const how of ['abort', 'close'] as const) {
      const started = join(scene.workspace, `started-${how}`);
      const session = await scene.open(
        shell(`trap '' TERM; : > '${started}'; while :; do sleep 0.1; done`, { graceMs: 200 }),
      );
      const abort = new AbortController();
      const answer = session.send(command(), { deadlineMs: 8000, signal: abort.signal });
      const rejected = expect(answer).rejects.toMatchObject({ code: 'canceled' });
      await expect.poll(() => existsSync(started), { timeout: 5000 }).toBe(true);
      if (how === 'abort') abort.abort();
      else expect(await session.close(200)).toMatchObject({ left: 0 });
      await rejected;
      expect(await scene.alive()).toBe(0);
    }
  });

  test('R26 a program that reads nothing and one that does not exist', async () => {
    await using scene = await Scene.create();
    await writeFile(join(scene.workspace, 'big.txt'), '');
    const deaf = await scene.open(shell('exec 0<&-; echo fine'));
    const input = { padding: 'x'.repeat(200_000) };
    expect((await deaf.send(command(input), within(8000))).outputs).toEqual({ text: 'fine\n' });
    const missing = await scene.open(exec(['no-such-program-of-ours']));
    await expect(missing.send(command(), within(8000))).rejects.toMatchObject({
      code: 'agent_spawn_failed',
      details: { retryable: false },
    });
  });
});
