import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../test/support/both-stores.ts';
import { defineWorkflow } from '../../contract/define.ts';
import { WaybillError } from '../../contract/errors.ts';
import { type RunStateName, runStates } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import { enqueueRun } from './queue/enqueue-run.ts';
import { submitRun } from './queue/submit-run.ts';
import { type RunRequest, requestRun } from './requests.ts';
import { openTestWorld, type TestProcess, type TestWorld } from './testing/engine.ts';
import { eventsOf } from './testing/look.ts';

afterAll(dropDatabases);
const actor = 'me';

const legal: Record<RunStateName, readonly RunStateName[]> = {
  queued: ['running', 'canceled', 'failed'],
  running: ['waiting', 'succeeded', 'failed', 'canceled'],
  waiting: ['running', 'canceled', 'failed'],
  succeeded: [],
  failed: [],
  canceled: [],
};
const terminal = ['succeeded', 'failed', 'canceled'] as const;

const never = new Promise<never>(() => {});
const workflows = [
  defineWorkflow('running', { snapshot: 'none' }, (run) => run.step('held', {}, (): Promise<null> => never)),
  defineWorkflow('waiting', { snapshot: 'none' }, async (run) => {
    const { approved } = await run.approval('ship', { prompt: 'Ship it?' });
    return approved;
  }),
  defineWorkflow('succeeded', { snapshot: 'none' }, async () => null),
  defineWorkflow('failed', { snapshot: 'none' }, (): Promise<null> => Promise.reject(new Error('on purpose'))),
];

/** A run in each state; the one that runs is held by a living process. */
async function oneOfEach(world: TestWorld): Promise<Record<RunStateName, RunId>> {
  const process = await world.start();
  const begin = async (workflow: string) => {
    const { runId, outcome } = await process.runs.start({ workflow, input: null, actor });
    if (workflow !== 'running') await outcome;
    return runId;
  };
  const submit = async () => {
    const request = { workflow: 'succeeded', input: null, tasks: [], tool: null, priority: 0, actor };
    return (await submitRun(process.engine, { maxQueue: 10 }, request)).runId;
  };
  const canceled = await submit();
  await requestRun(process.engine, canceled, { kind: 'cancel', comment: null }, { actor });
  return {
    queued: await submit(),
    running: await begin('running'),
    waiting: await begin('waiting'),
    succeeded: await begin('succeeded'),
    failed: await begin('failed'),
    canceled,
  };
}

/** All that is stored of a run, but what was asked of it and refused. */
async function everythingOf(process: TestProcess, runId: RunId) {
  const rows = await process.engine.store.read(async (tx) => ({
    run: await tx.db.selectFrom('run').selectAll().where('id', '=', runId).execute(),
    queue: await tx.db.selectFrom('run_queue').selectAll().where('run', '=', runId).execute(),
    pending: await tx.db.selectFrom('pending_step').selectAll().where('run', '=', runId).execute(),
    outbox: await tx.db.selectFrom('outbox').selectAll().where('aggregate', '=', runId).execute(),
  }));
  return { ...rows, events: await eventsOf(process, runId) };
}

/** The code an attempt is refused with; null when it is not. */
async function refusal(attempt: () => Promise<unknown>): Promise<string | null> {
  try {
    await attempt();
    return null;
  } catch (error) {
    if (error instanceof WaybillError) return error.code;
    throw error;
  }
}

class Undone extends Error {}

describe.each(bothStores)('the states of a run on %s', (_, where) => {
  test('D6 of all pairs of states the database lets a run go the legal edges and no other', async () => {
    await using world = await openTestWorld({ workflows, ...(await where()) });
    const runs = await oneOfEach(world);
    const process = await world.start();
    const { store } = process.engine;
    let tried = 0;
    for (const from of runStates) {
      for (const to of runStates) {
        const runId = runs[from];
        const before = await everythingOf(process, runId);
        expect(before.run[0]?.state).toBe(from);
        // What is allowed is undone, so that each pair begins at the same place.
        const attempt = store.write(async (tx) => {
          await tx.db.updateTable('run').set({ state: to }).where('id', '=', runId).execute();
          throw new Undone();
        });
        const code = await refusal(() =>
          attempt.catch((error) => (error instanceof Undone ? null : Promise.reject(error))),
        );
        const isTerminal = legal[from].length === 0;
        const expected = from === to ? (isTerminal ? 'ledger_closed' : null) : 'invalid_transition';
        expect(code, `${from} to ${to}`).toBe(legal[from].includes(to) ? null : expected);
        expect(await everythingOf(process, runId)).toEqual(before);
        tried += 1;
      }
    }
    expect(tried).toBe(36);
  });

  test('D6 what is asked of a finished run is refused and changes nothing of it; a cancel is answered and changes nothing', async () => {
    await using world = await openTestWorld({ workflows, ...(await where()) });
    const runs = await oneOfEach(world);
    const process = await world.start();
    const { engine } = process;
    const ask = (request: RunRequest) => (runId: RunId) => requestRun(engine, runId, request, { actor });
    const verbs: Readonly<Record<string, (runId: RunId) => Promise<unknown>>> = {
      pause: ask({ kind: 'pause' }),
      approve: ask({ kind: 'approve', step: 'ship', comment: null }),
      deny: ask({ kind: 'deny', step: 'ship', comment: null }),
      signal: ask({ kind: 'signal', name: 'go', payload: null }),
      resume: (runId) => process.runs.resume(runId, { actor }),
      'resume by a worker': (runId) => enqueueRun(engine, runId, { actor, acceptDrift: false }),
    };
    for (const state of terminal) {
      const before = await everythingOf(process, runs[state]);
      for (const [verb, attempt] of Object.entries(verbs)) {
        expect(await refusal(() => attempt(runs[state])), `${verb} of a run that is ${state}`).toBe(
          'invalid_transition',
        );
      }
      const cancel = await requestRun(engine, runs[state], { kind: 'cancel', comment: null }, { actor });
      expect(cancel).toEqual({ outcome: 'unchanged', state, by: 'requester' });
      expect(await everythingOf(process, runs[state])).toEqual(before);
    }
  });

  test('D6 what does not fit the state of a run that is not finished is refused and changes nothing', async () => {
    await using world = await openTestWorld({ workflows, ...(await where()) });
    const runs = await oneOfEach(world);
    const process = await world.start();
    const { engine } = process;
    const approve = (runId: RunId) =>
      requestRun(engine, runId, { kind: 'approve', step: 'ship', comment: null }, { actor });
    const retry = (runId: RunId) => process.runs.retryFailed(runId, { actor, reason: 'again' });
    const cases = [
      ['queued', 'pause', 'invalid_transition', () => requestRun(engine, runs.queued, { kind: 'pause' }, { actor })],
      ['queued', 'approve', 'run_not_waiting', () => approve(runs.queued)],
      ['running', 'approve', 'run_not_waiting', () => approve(runs.running)],
      ['running', 'resume', 'lease_held', () => process.runs.resume(runs.running, { actor })],
      ['running', 'enqueue', 'lease_held', () => enqueueRun(engine, runs.running, { actor, acceptDrift: false })],
      ...(['queued', 'running', 'waiting', 'succeeded', 'canceled'] as const).map(
        (state) => [state, 'retry', 'run_not_failed', () => retry(runs[state])] as const,
      ),
    ] as const;
    for (const [state, verb, code, attempt] of cases) {
      const before = await everythingOf(process, runs[state]);
      expect(await refusal(attempt), `${verb} of a run that is ${state}`).toBe(code);
      const { run, ...rest } = await everythingOf(process, runs[state]);
      expect({ run: run.map(({ lease_expires_at: _lease, ...row }) => row), ...rest }).toEqual({
        ...before,
        run: before.run.map(({ lease_expires_at: _lease, ...row }) => row),
      });
    }
  });
});
