import { describe, expect, test } from 'vitest';
import { type RunState, runStateSchema } from '../contract/evidence.ts';
import { nextCommand, runRow, runView, stateWord } from './runs.ts';

const runId = 'run-20261122-210500-0a1b2c3d';
const time = '2026-11-22T21:05:00.123999Z';
const digest = `sha256:${'a'.repeat(64)}`;
const step = (waitingFor: string | null): RunState['currentStep'] => ({
  name: 'release',
  stage: 'release',
  attempt: 1,
  startedAt: time,
  idempotencyKey: `ik:${'b'.repeat(64)}`,
  waitingFor,
});

function run(change: Partial<RunState>): RunState {
  return {
    schema: 'waybill.run.v1',
    runId,
    tool: null,
    workflow: 'task',
    task: null,
    tasks: [],
    state: 'running',
    interrupted: false,
    resume: null,
    currentStep: step(null),
    pending: [],
    snapshot: null,
    lastSeq: 3,
    lastDigest: digest,
    terminalEvent: null,
    reason: null,
    output: null,
    steps: 0,
    createdAt: time,
    startedAt: time,
    finishedAt: null,
    wakeAt: time,
    holder: { pid: 1, host: 'h', since: time, expiresAt: time, alive: true },
    actor: 'local:0',
    origin: null,
    sharedBy: [],
    provenance: {
      checkout: {
        name: { known: true, value: 'n' },
        remote: { known: false, reason: 'none' },
        commit: { known: true, value: 'c' },
        branch: { known: true, value: 'b' },
        dirty: { known: true, value: false },
        readAt: time,
      },
      versions: {},
      configDigest: null,
      workflow: { name: 'task', version: null, codeDigest: null },
      inputDigest: digest,
      platform: { os: 'linux', arch: 'x64', node: '24' },
      envFingerprint: digest,
      containment: { how: 'contained', means: 'm' },
    },
    ...change,
  };
}

test('R36 a run is shown with every field of its schema and times in milliseconds', () => {
  const shown = runView(run({}));
  expect(runStateSchema.parse(shown)).toEqual(shown);
  expect(JSON.stringify(shown)).not.toContain('.123999Z');
  expect(JSON.stringify(shown).match(/\.123Z/g)).toHaveLength(7);
  expect(runView(run({ provenance: null, holder: null, currentStep: null })).finishedAt).toBeNull();
  expect(runRow(run({}))).toMatchObject({ runId, createdAt: '2026-11-22T21:05:00.123Z', interrupted: false });
});

describe('R36 what a person can do next', () => {
  test.each<[Partial<RunState>, string, string | null]>([
    [{ state: 'running' }, 'running', `waybill events ${runId} --follow`],
    [
      { state: 'running', interrupted: true, resume: `waybill resume ${runId}` },
      'interrupted',
      `waybill resume ${runId}`,
    ],
    [{ state: 'running', interrupted: true }, 'interrupted', `waybill resume ${runId}`],
    [{ state: 'queued' }, 'queued', `waybill resume ${runId}`],
    [{ state: 'waiting', currentStep: step('approval') }, 'waiting for approval', `waybill approve ${runId}`],
    [{ state: 'waiting', currentStep: step('signal') }, 'waiting for signal', `waybill signal ${runId} release`],
    [{ state: 'waiting', currentStep: step('sleep') }, 'waiting for sleep', `waybill resume ${runId}`],
    [{ state: 'waiting', currentStep: null }, 'waiting', `waybill resume ${runId}`],
    [{ state: 'failed' }, 'failed', `waybill resume ${runId} --retry-failed --reason TEXT`],
    [{ state: 'succeeded' }, 'succeeded', null],
    [{ state: 'canceled' }, 'canceled', null],
  ])('%j', (change, word, command) => {
    expect(stateWord(run(change))).toBe(word);
    expect(nextCommand(run(change))).toBe(command);
  });
});
