import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, WaybillError } from '../../contract/errors.ts';
import type { AgentAnswer, AgentSettings } from '../../domain/runs/ports.ts';
import { command, mockAgent, Scene, within } from './fixtures/scene.ts';

/** How an agent must end: with which failure, or with an answer (and then, for a second command, which failure). */
interface Ending {
  readonly failure?: ErrorCode;
  readonly retryable?: boolean;
  readonly phase?: string;
  /** The answer counts; this is what the next command meets. */
  readonly next?: ErrorCode;
  readonly settings?: Partial<AgentSettings>;
  readonly deadlineMs?: number;
}

const endings: Record<string, Ending> = {
  'well-behaved': {},
  'exits-before-hello': { failure: 'agent_exited', retryable: true, phase: 'hello' },
  'exits-before-hello-with-0': { failure: 'agent_exited', retryable: true, phase: 'hello' },
  'exits-before-command': { failure: 'agent_exited', retryable: true },
  'exits-before-command-with-0': { failure: 'agent_exited', retryable: true },
  'exits-during': { failure: 'agent_exited', retryable: true, phase: 'during' },
  'exits-during-with-0': { failure: 'agent_exited', retryable: true, phase: 'during' },
  'dies-by-signal': { failure: 'agent_exited', retryable: true, phase: 'during' },
  'exits-after': { next: 'agent_exited' },
  'exits-after-with-0': { next: 'agent_exited' },
  'exits-once': { failure: 'agent_exited', retryable: true, phase: 'during' },
  'no-hello': { failure: 'agent_no_hello', retryable: true, settings: { helloTimeoutMs: 400 } },
  'bad-hello': { failure: 'agent_bad_hello', retryable: false },
  'never-answers': { failure: 'agent_timeout', retryable: true, deadlineMs: 700 },
  'wrong-correlation': { failure: 'agent_wrong_correlation', retryable: false },
  'answers-twice': { failure: 'agent_duplicate_answer', retryable: false },
  'error-event': { failure: 'agent_error', retryable: false },
  'error-event-retryable': { failure: 'agent_error', retryable: true },
  'many-log-lines': {},
  'log-flood': {},
  'no-newline': { failure: 'agent_line_too_long', retryable: false },
  'not-json': { failure: 'agent_bad_line', retryable: false },
  'json-not-object': { failure: 'agent_bad_line', retryable: false },
  'wrong-type': { failure: 'agent_bad_line', retryable: false },
  'line-of-exactly-the-limit': {},
  'line-too-long': { failure: 'agent_line_too_long', retryable: false },
  'floods-stderr': {},
  'floods-stderr-without-newline': {},
  'stops-heartbeat': { failure: 'agent_heartbeat_lost', retryable: true, settings: { heartbeatMs: 50 } },
  'ignores-sigterm': { failure: 'agent_timeout', retryable: true, deadlineMs: 500, settings: { graceMs: 300 } },
  'leaves-grandchild': {},
  'leaves-daemon': { failure: 'agent_exited', retryable: true, phase: 'during' },
  // Whether a claim is true is checked by the domain, for every transport alike (R10).
  'lies-about-artifact-missing': {},
  'lies-about-artifact-outside': {},
  'lies-about-artifact-size': {},
  'lies-about-artifact-digest': {},
};

const folder = join(import.meta.dirname, '../../../fixtures/mock-agent');

test('R26 R30 every shipped fixture has a known ending', () => {
  const shipped = readdirSync(folder).map((file) => basename(file, '.json'));
  expect(shipped.sort()).toEqual(Object.keys(endings).sort());
});

describe('R26 R30 the mock agent that', () => {
  for (const [fixture, ending] of Object.entries(endings)) {
    test(fixture, async () => {
      await using scene = await Scene.create();
      const deadlineMs = ending.deadlineMs ?? 8000;
      const settings = { graceMs: 1000, ...ending.settings, command: mockAgent(fixture) };
      const before = process.memoryUsage().rss;
      let peak = before;
      const sampler = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 20);
      const startedAt = performance.now();
      const outcome = await converse(scene, settings, deadlineMs);
      const tookMs = performance.now() - startedAt;
      clearInterval(sampler);

      if (ending.failure === undefined) {
        expect(outcome).not.toBeInstanceOf(Error);
      } else {
        expect(outcome).toBeInstanceOf(WaybillError);
        expect(outcome).toMatchObject({
          code: ending.failure,
          details: { agent: 'builder', retryable: ending.retryable },
        });
        if (ending.phase !== undefined) expect(outcome).toMatchObject({ details: { phase: ending.phase } });
      }
      if (ending.next !== undefined) {
        await expect(scene.sessions[0]?.send(command({ second: true }), within(deadlineMs))).rejects.toMatchObject({
          code: ending.next,
        });
      }
      // Start of the program and the search for what is left are not the agent's to delay.
      expect(tookMs).toBeLessThan(deadlineMs + settings.graceMs + 6000);
      expect((peak - before) / 2 ** 20).toBeLessThan(64);
      for (const session of scene.sessions) expect((await session.close(settings.graceMs)).left).toBe(0);
      expect(scene.processes.length).toBe(1);
      expect(await scene.alive()).toBe(0);
    });
  }
});

async function converse(
  scene: Scene,
  settings: Partial<AgentSettings>,
  deadlineMs: number,
): Promise<AgentAnswer | unknown> {
  try {
    const session = await scene.open(settings);
    return await session.send(command(), within(deadlineMs));
  } catch (error) {
    return error;
  }
}
