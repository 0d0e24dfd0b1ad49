import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { processesLike, uniqueSeconds } from '../src/executors/processes/fixtures/living.ts';
import { mockAgent } from './support/task-agents.ts';
import { checkout } from './support/waybill.ts';
import { makeWorkspace, type Streamed, type TestWorkspace } from './support/workspace.ts';

// What agents do wrong, seen from the command line: how the run ends, what the ledger and the error store say.
vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const outside = process.env.TEST_OUTSIDE;
const one = defineWorkflow('one', async (run) => (await run.agent('mock', { action: 'implement' })).outputs);
const settings = JSON.parse(process.env.TEST_SETTINGS ?? '{}');
const mock = (command: string[], name: string) => ({
  command, setEnv: { WAYBILL_AGENT_STATE: \`\${outside}/state/\${process.env.TEST_STATE}-\${name}\` },
  helloTimeoutMs: 60_000, retries: 0, restarts: 0, backoffMs: 10, maxBackoffMs: 20, graceMs: 500, ...settings,
});
export default defineConfig({
  workflows: [one],
  tests: { allowedFailures: ['a known one'] },
  agents: {
    mock: mock([...${mockAgent('any').replace(/`[^`]*`/, "process.env.TEST_SCRIPT ?? ''")}], 'mock'),
    builder: mock(${mockAgent('builder.json')}, 'builder'),
    reviewer: mock(${mockAgent('reviewer.json')}, 'reviewer'),
    specMaintainer: mock(${mockAgent('spec.json')}, 'spec'),
  },
});
`;

let workspace: TestWorkspace;
beforeAll(async () => {
  workspace = await makeWorkspace({ configuration, tasks: ['T-1'] });
});
afterAll(() => workspace[Symbol.asyncDispose]());

let states = 0;
/** Each run meets an agent that remembers nothing of the others. */
function environment(script: string, settings: object): Readonly<Record<string, string>> {
  states += 1;
  return { TEST_SCRIPT: script, TEST_SETTINGS: JSON.stringify(settings), TEST_STATE: String(states) };
}

function shipped(fixture: string): string {
  return join(checkout, 'fixtures', 'mock-agent', `${fixture}.json`);
}

async function meet(script: string, settings: object = {}): Promise<Streamed> {
  return await workspace.stream(['run', '--workflow', 'one'], environment(script, settings));
}

const reported = z.looseObject({ errorId: z.string() });

/** The run failed with this code; the ledger names the envelope of the step that made it fail. */
async function assertFailed({ code, run, events }: Streamed, wanted: string): Promise<void> {
  expect(run).toMatchObject({ state: 'failed', reason: { code: wanted }, pending: [] });
  expect(code).toBe(1);
  expect(run.terminalEvent).toEqual({ seq: run.lastSeq, type: 'run.failed' });
  expect(events.at(-1)).toMatchObject({ seq: run.lastSeq, type: 'run.failed' });
  const [failed, ...others] = events.filter(({ type }) => type === 'step.failed');
  expect(others).toEqual([]);
  const { errorId } = reported.parse(failed?.data);
  const envelopes = workspace.rows('SELECT run_id, step, layer FROM infra_error_events WHERE error_id = ?', errorId);
  expect(envelopes).toEqual([{ run_id: run.runId, step: failed?.step?.name, layer: 'L4' }]);
}

describe('R10 an artifact an agent lies about fails the step, and the code says how', () => {
  test.each([
    ['missing', 'artifact_missing'],
    ['outside', 'artifact_outside'],
    ['size', 'artifact_size_mismatch'],
    ['digest', 'artifact_digest_mismatch'],
  ])('%s', async (lie, code) => {
    const streamed = await meet(shipped(`lies-about-artifact-${lie}`));
    await assertFailed(streamed, code);
    expect((await workspace.receipts(streamed.run.runId))[0]).toMatchObject({ outcome: 'failed', artifacts: [] });
    await workspace.assertIntact(streamed.run.runId);
  });
});

describe('R26 a run with an agent that does wrong ends failed, with the right code and an envelope', () => {
  test.each([
    ['exits-before-hello', 'agent_exited', {}],
    ['exits-during-with-0', 'agent_exited', {}],
    ['no-hello', 'agent_no_hello', { helloTimeoutMs: 500 }],
    ['never-answers', 'agent_timeout', { deadlineMs: 500 }],
    ['ignores-sigterm', 'agent_timeout', { deadlineMs: 500 }],
    ['stops-heartbeat', 'agent_heartbeat_lost', { heartbeatMs: 50 }],
    ['not-json', 'agent_bad_line', {}],
    ['line-too-long', 'agent_line_too_long', {}],
    ['wrong-correlation', 'agent_wrong_correlation', {}],
    ['error-event', 'agent_error', {}],
  ])('%s', async (fixture, code, settings) => {
    await assertFailed(await meet(shipped(fixture), settings), code);
  });

  test('leaves a daemon that holds its pipes: nothing is left when the run has ended', async () => {
    const seconds = uniqueSeconds();
    const script = join(workspace.outside, 'daemon.json');
    const daemon = { do: 'grandchild', seconds: Number(seconds), daemon: true, holdsPipes: true };
    await writeFile(script, JSON.stringify({ actions: { implement: [[daemon, { do: 'exit', code: 1 }]] } }));
    const streamed = await meet(script);
    expect(processesLike(new RegExp(`sleep ${seconds}$`))).toEqual([]);
    await assertFailed(streamed, 'agent_exited');
    const ended = streamed.events.filter(({ type }) => type === 'process.ended');
    expect(ended).toMatchObject([{ data: { left: 0 } }]);
  });
});

describe('R27 retries, restarts and deadlines take effect, and every attempt is in the ledger', () => {
  /** The attempts of the only step, as the ledger tells them. */
  const attempts = ({ events }: Streamed) =>
    events.flatMap(({ type, attempt, data }) =>
      /^(attempt|step)\./.test(type)
        ? [[type, attempt, z.looseObject({ code: z.string() }).safeParse(data.failure).data?.code]]
        : [],
    );

  test('a retryable error is tried again under the same key', async () => {
    const streamed = await meet(shipped('error-event-retryable'), { retries: 2 });
    expect(streamed.run).toMatchObject({ state: 'succeeded', output: { done: true } });
    expect(attempts(streamed)).toEqual([
      ['attempt.started', 1, undefined],
      ['attempt.failed', 1, 'agent_error'],
      ['attempt.started', 2, undefined],
      ['step.succeeded', 2, undefined],
    ]);
    const started = streamed.events.filter(({ type }) => type === 'attempt.started');
    expect(new Set(started.map(({ data }) => data.idempotencyKey)).size).toBe(1);
    expect((await workspace.receipts(streamed.run.runId))[0]).toMatchObject({ attempts: 2, outcome: 'succeeded' });
  });

  test('not when no retries are configured', async () => {
    const streamed = await meet(shipped('error-event-retryable'));
    await assertFailed(streamed, 'agent_error');
    expect(attempts(streamed)).toEqual([
      ['attempt.started', 1, undefined],
      ['step.failed', 1, 'agent_error'],
    ]);
  });

  test('a permanent error is not tried again, however many retries there are', async () => {
    const streamed = await meet(shipped('error-event'), { retries: 5, restarts: 5 });
    await assertFailed(streamed, 'agent_error');
    expect(attempts(streamed).map(([type]) => type)).toEqual(['attempt.started', 'step.failed']);
  });

  test('an agent that died is started again as often as restarts says', async () => {
    const streamed = await meet(shipped('exits-once'), { restarts: 1 });
    expect(streamed.run).toMatchObject({ state: 'succeeded', output: { done: true } });
    expect(attempts(streamed).map(([type, attempt]) => [type, attempt])).toEqual([
      ['attempt.started', 1],
      ['attempt.failed', 1],
      ['attempt.started', 2],
      ['step.succeeded', 2],
    ]);
    expect(streamed.events.filter(({ type }) => type === 'process.started')).toHaveLength(2);
  });

  test('each attempt has the deadline of its own', async () => {
    const streamed = await meet(shipped('never-answers'), { deadlineMs: 400, retries: 2 });
    await assertFailed(streamed, 'agent_timeout');
    expect(attempts(streamed)).toEqual([
      ['attempt.started', 1, undefined],
      ['attempt.failed', 1, 'agent_timeout'],
      ['attempt.started', 2, undefined],
      ['attempt.failed', 2, 'agent_timeout'],
      ['attempt.started', 3, undefined],
      ['step.failed', 3, 'agent_timeout'],
    ]);
  });
});

describe('R15 the builder must show a test result', () => {
  const scripts = async (answers: Readonly<Record<string, object>>) => {
    const actions = { builder: 'implement', reviewer: 'review', spec: 'update_spec' };
    for (const [name, action] of Object.entries(actions)) {
      const act = answers[name];
      await writeFile(join(workspace.outside, `${name}.json`), JSON.stringify({ actions: { [action]: [[act]] } }));
    }
  };
  const complete = (outputs: object) => ({ do: 'complete', outputs });
  const approved = complete({ verdict: 'approved' });
  const updated = complete({ verdict: 'updated' });
  const run = () => workspace.stream(['run', '--task', 'T-1'], environment('', {}));

  test.each([
    ['test_result_missing', {}],
    ['test_result_malformed', { tests: { passed: 'many' } }],
    ['tests_failed', { tests: { passed: 1, failed: 1, failures: ['a new one'] } }],
    ['tests_failed', { tests: { passed: 1, failed: 1 } }],
  ])('%s: %j', async (code, outputs) => {
    await scripts({ builder: complete(outputs), reviewer: approved, spec: updated });
    await assertFailed(await run(), code);
  });

  test('failures that are declared may be', async () => {
    const tests = { passed: 1, failed: 1, failures: ['a known one'] };
    await scripts({ builder: complete({ tests }), reviewer: approved, spec: updated });
    expect((await run()).run).toMatchObject({ state: 'succeeded' });
  });

  test('a failed run is not reopened: --retry-failed makes a new one that shares what was good', async () => {
    const tests = { passed: 1, failed: 0 };
    const away = { do: 'error', code: 'away', message: 'the reviewer is away', retryable: false };
    await scripts({ builder: complete({ tests }), reviewer: away, spec: updated });
    const failed = await run();
    await assertFailed(failed, 'agent_error');
    const origin = failed.run.runId;
    const refused = await workspace.waybill(['resume', origin]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--retry-failed --reason') });

    await scripts({ builder: complete({}), reviewer: approved, spec: updated });
    const again = ['resume', origin, '--retry-failed', '--reason', 'the reviewer is back'];
    const retried = await workspace.stream(again, environment('', {}));
    expect(retried.code).toBe(0);
    const link = { runId: origin, kind: 'retry', reason: 'the reviewer is back' };
    expect(retried.run).toMatchObject({ state: 'succeeded', origin: link });
    expect(retried.events[0]).toMatchObject({ type: 'run.started', data: { origin: link } });
    const receipts = await workspace.receipts(retried.run.runId);
    expect(receipts.map(({ runId, action }) => [runId === origin, action])).toEqual([
      [true, 'implement'],
      [false, 'review'],
      [false, 'update_spec'],
    ]);
    expect(await workspace.show(origin)).toMatchObject({
      ...{ state: 'failed', lastSeq: failed.run.lastSeq, lastDigest: failed.run.lastDigest },
      sharedBy: [{ runId: retried.run.runId, kind: 'retry' }],
    });
  });
});
