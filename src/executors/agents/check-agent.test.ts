import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock/clock.ts';
import { probeContainment } from '../processes/containment.ts';
import { createProcessPort } from '../processes/process-port.ts';
import { type CheckOptions, checkAgent } from './check-agent.ts';
import { mockAgent, mockAgentOf, program, Scene } from './fixtures/scene.ts';

async function report(command: readonly string[], options: CheckOptions = {}) {
  const processes = createProcessPort(await probeContainment());
  return await checkAgent(command, { processes, clock: systemClock, environment: process.env }, options);
}

async function check(command: readonly string[], options: CheckOptions = {}) {
  return (await report(command, options)).cases;
}

const sdk = pathToFileURL(resolve(import.meta.dirname, '../../sdk/agent/index.ts')).href;

/** An agent written with the SDK, around some code. */
function sdkAgent(actions = '{}', before = ''): readonly string[] {
  return program(`
    const { runAgent } = await import(${JSON.stringify(sdk)});
    ${before}
    await runAgent({ name: 'good', version: '1.0.0', actions: ${actions} });
  `);
}

const failed = (cases: Awaited<ReturnType<typeof check>>) => cases.filter((one) => !one.passed).map((one) => one.name);

describe('R40 waybill agents check', () => {
  test('R40 R25 an agent written with the SDK passes every case', async () => {
    const { agent, cases } = await report(sdkAgent());
    expect(agent).toEqual({ name: 'good', version: '1.0.0' });
    expect(cases.map(({ name, passed, checked }) => [name, passed, checked])).toEqual([
      ['hello', true, true],
      ['a command is answered', true, true],
      ['an unknown action gives an error event', true, true],
      ['a command line of 262144 bytes is taken', true, true],
      ['an answer line of 262144 bytes is written', true, true],
      ['a command line of 262145 bytes is refused', true, true],
      ['a repeated idempotency key gives the same answer', true, true],
      ['a repeated idempotency key gives the same answer after a restart', true, true],
      ['SIGTERM ends it', true, true],
    ]);
    expect(cases[0]?.message).toContain('waybill.check');
  });

  test('R40 one that prints to stdout through console still passes, and an action can be named', async () => {
    const cases = await check(
      sdkAgent(`{ greet: async () => { console.log('noise'); return { outputs: { hi: 1 } }; } }`),
      {
        action: 'greet',
      },
    );
    expect(failed(cases)).toEqual([]);
    expect(cases[1]?.message).toContain('greet');
  });

  test('R40 an agent that says dedupe and does the work again fails both cases of the repeated key', async () => {
    await using scene = await Scene.create();
    const forgetful = program(`
      const { createInterface } = await import('node:readline');
      const say = (line) => console.log(JSON.stringify(line));
      say({ type: 'hello', protocol: 'waybill.agent.v1', name: 'forgetful', version: '1', actions: ['waybill.check'], dedupe: true });
      for await (const line of createInterface({ input: process.stdin })) {
        const { correlationId, action } = JSON.parse(line);
        say(action === 'waybill.check'
          ? { type: 'event', event: 'completed', correlationId, outputs: { execution: String(Math.random()), padding: '' }, artifacts: [] }
          : { type: 'event', event: 'error', correlationId, error: { code: 'unknown', message: action, retryable: false } });
      }
    `);
    expect(failed(await check(forgetful))).toEqual([
      'an answer line of 262144 bytes is written',
      'a command line of 262145 bytes is refused',
      'a repeated idempotency key gives the same answer',
      'a repeated idempotency key gives the same answer after a restart',
    ]);
    expect(await scene.alive()).toBe(0);
  });

  test('R40 one that remembers only while it lives fails the case with the restart', async () => {
    const cases = await check(
      sdkAgent('{}', `process.env.WAYBILL_AGENT_STATE = '.state-' + process.pid + Math.random();`),
    );
    expect(failed(cases)).toEqual(['a repeated idempotency key gives the same answer after a restart']);
  });

  test('R40 what an agent does not offer is not checked, and the result says so', async () => {
    const plain = program(`
      const { createInterface } = await import('node:readline');
      const say = (line) => console.log(JSON.stringify(line));
      say({ type: 'hello', protocol: 'waybill.agent.v1', name: 'plain', version: '1', actions: ['implement'], dedupe: false });
      for await (const line of createInterface({ input: process.stdin })) {
        const { correlationId, action } = JSON.parse(line);
        say({ type: 'event', event: 'error', correlationId, error: { code: 'unknown', message: action, retryable: false } });
      }
    `);
    const cases = await check(plain);
    expect(failed(cases)).toEqual([]);
    expect(cases.filter((one) => one.checked).map((one) => one.name)).toEqual([
      'hello',
      'an unknown action gives an error event',
      'a command line of 262145 bytes is refused',
      'SIGTERM ends it',
    ]);
    for (const one of cases.filter((other) => !other.checked)) expect(one.message).toMatch(/^not checked: /);
  });

  test.each(['bad-hello', 'exits-before-hello', 'not-json'])('R40 the mock agent %s does not pass', async (fixture) => {
    const cases = await check(mockAgent(fixture), { action: 'implement', deadlineMs: 3000 });
    expect(failed(cases).length).toBeGreaterThan(0);
    if (fixture !== 'not-json') expect(cases.length).toBe(1);
  });

  test('R40 one that ignores SIGTERM is found', async () => {
    await using scene = await Scene.create();
    const script = join(scene.workspace, 'script.json');
    await writeFile(script, JSON.stringify({ start: [{ do: 'ignoreSigterm' }] }));
    const cases = await check(mockAgentOf(script), { deadlineMs: 2000 });
    expect(failed(cases)).toContain('SIGTERM ends it');
  }, 60_000);

  test('R40 it can be canceled', async () => {
    const signal = AbortSignal.timeout(400);
    await expect(check(mockAgent('never-answers'), { action: 'implement', signal })).rejects.toMatchObject({
      code: 'canceled',
    });
  });

  test('R40 a command that does not exist is one failed case', async () => {
    const cases = await check(['no-such-program-of-ours']);
    expect(cases).toMatchObject([{ name: 'hello', passed: false, checked: true }]);
  });
});
