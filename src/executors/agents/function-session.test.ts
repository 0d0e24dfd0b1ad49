import { describe, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import type { AgentAnswer, AgentCommand } from '../../domain/runs/ports.ts';
import { command, Scene, within } from './fixtures/scene.ts';

type Handler = (command: AgentCommand, signal: AbortSignal) => Promise<AgentAnswer>;

async function open(scene: Scene, handler: Handler) {
  return await scene.open({ transport: 'function', handler });
}

describe('the transport function', () => {
  test('a handler gets the command and its answer comes back', async () => {
    await using scene = await Scene.create();
    const session = await open(scene, async ({ inputs }) => ({ outputs: { got: inputs }, artifacts: [] }));
    expect(await session.send(command({ a: 1 }), within(1000))).toEqual({ outputs: { got: { a: 1 } }, artifacts: [] });
    expect(scene.processes).toEqual([]);
    expect(await session.close(0)).toEqual({ how: 'contained', signaled: 0, left: 0 });
    expect(session.usable).toBe(false);
    await expect(session.send(command(), within(1000))).rejects.toMatchObject({ code: 'canceled' });
  });

  test('R27 the deadline reaches the handler through its signal, and ends the command even if it does not listen', async () => {
    await using scene = await Scene.create();
    let told: unknown;
    const session = await open(scene, (_, signal) => {
      signal.addEventListener('abort', () => {
        told = signal.reason;
      });
      return new Promise(() => {});
    });
    await expect(session.send(command(), within(50))).rejects.toMatchObject({
      code: 'agent_timeout',
      details: { deadlineMs: 50, retryable: true },
    });
    expect(told).toMatchObject({ code: 'agent_timeout' });
    expect(session.usable).toBe(true);
  });

  test('an abort ends the command, and one that came before means the handler is not called', async () => {
    await using scene = await Scene.create();
    let calls = 0;
    const session = await open(scene, () => {
      calls += 1;
      return new Promise(() => {});
    });
    const abort = new AbortController();
    const answer = session.send(command(), { deadlineMs: 5000, signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(answer).rejects.toMatchObject({ code: 'canceled', details: { retryable: false } });
    await expect(session.send(command(), { deadlineMs: 5000, signal: abort.signal })).rejects.toMatchObject({
      code: 'canceled',
    });
    expect(calls).toBe(1);
  });

  test('R27 what a handler throws: its own WaybillError stays, anything else is a permanent agent_error', async () => {
    await using scene = await Scene.create();
    const busy = new WaybillError('agent_error', 'busy', { details: { retryable: true } });
    const throwing = (error: unknown) =>
      open(scene, () => {
        throw error;
      }).then((session) => session.send(command(), within(1000)));
    await expect(throwing(busy)).rejects.toBe(busy);
    await expect(throwing(new TypeError('x is not a function'))).rejects.toMatchObject({
      code: 'agent_error',
      message: expect.stringContaining('x is not a function'),
      details: { retryable: false },
    });
    await expect(throwing('a text')).rejects.toMatchObject({ code: 'agent_error' });
  });

  test.each<[string, string]>([
    ['nothing', 'undefined'],
    ['a text', '"done"'],
    ['outputs that are a list', '{"outputs":[],"artifacts":[]}'],
    ['no artifacts', '{"outputs":{}}'],
    ['an artifact without a digest', '{"outputs":{},"artifacts":[{"path":"a","size":1}]}'],
    ['text with a lone surrogate', '{"outputs":{"a":"\\ud800"},"artifacts":[]}'],
  ])('R26 a handler that returns %s', async (_, json) => {
    await using scene = await Scene.create();
    const value = json === 'undefined' ? undefined : JSON.parse(json);
    const session = await open(scene, async () => value);
    await expect(session.send(command(), within(1000))).rejects.toMatchObject({
      code: 'agent_bad_line',
      details: { retryable: false },
    });
  });

  test('an agent without handler or command is a configuration error', async () => {
    await using scene = await Scene.create();
    await expect(scene.open({ transport: 'function' })).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(scene.open({ transport: 'stdio', command: [] })).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(scene.open({ transport: 'exec', command: [''] })).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
