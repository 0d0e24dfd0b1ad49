import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { AnyWorkflow } from '../../contract/workflow.ts';
import { loadRun } from './load-run.ts';
import type { AgentCommand } from './ports.ts';
import { requestRun } from './requests.ts';
import type { HeldRun } from './runs.ts';
import { openTestWorld, type TestProcess } from './testing/engine.ts';
import { taskWorkflow } from './workflows/task.ts';

const actor = 'me';

async function eventsOf(process: TestProcess, runId: RunId) {
  const rows = await process.engine.store.read((tx) =>
    tx.db.selectFrom('run_event').select(['seq', 'type', 'body']).where('run', '=', runId).orderBy('seq').execute(),
  );
  return rows.map((row) => ({ ...row, data: dataOf(row.body) }));
}

function dataOf(body: string): JsonObject {
  const parsed: { data: JsonObject } = JSON.parse(body);
  return parsed.data;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('waited 10 s for nothing');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const stateOf = async (process: TestProcess, runId: RunId) => (await loadRun(process.engine.store, runId)).row.state;

function counting(
  name: string,
  executed: string[],
  build: (count: (what: string) => string) => AnyWorkflow['start'],
): AnyWorkflow {
  const count = (what: string) => {
    executed.push(what);
    return what;
  };
  return defineWorkflow(name, { snapshot: 'none' }, (run, input) => build(count)(run, input));
}

test('R7 sixteen concurrent steps of one run give a ledger without gaps', async () => {
  const wide = defineWorkflow('wide', { snapshot: 'none' }, async (run) => {
    await Promise.all(Array.from({ length: 16 }, (_, index) => run.step('one', { index }, async () => index)));
    return null;
  });
  await using world = await openTestWorld({ workflows: [wide] });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({ workflow: 'wide', input: null, actor });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
  const events = await eventsOf(process, runId);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  expect(events).toHaveLength(2 + 16 * 2);
});

test('R8 nothing follows the terminal event, whoever tries', async () => {
  const noop = defineWorkflow('noop', { snapshot: 'none' }, async () => null);
  await using world = await openTestWorld({ workflows: [noop] });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'noop', input: null, actor });
  await outcome;
  const late = { run: runId, seq: 3, type: 'run.failed', body: '{}', digest: 'x' };
  await expect(engine.store.write((tx) => tx.db.insertInto('run_event').values(late).execute())).rejects.toMatchObject({
    code: 'ledger_closed',
  });
  await expect(
    engine.store.write((tx) => tx.db.updateTable('run').set({ state: 'running' }).where('id', '=', runId).execute()),
  ).rejects.toMatchObject({ code: 'ledger_closed' });
  await expect(requestRun(engine, runId, { kind: 'pause' }, { actor })).rejects.toMatchObject({ code: 'run_finished' });
});

test('R9 a receipt is written once: another content under its number or key is refused by the database', async () => {
  const one = defineWorkflow('one', { snapshot: 'none' }, async (run) => run.step('a', {}, () => 1));
  await using world = await openTestWorld({ workflows: [one] });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'one', input: null, actor });
  await outcome;
  const [row] = await engine.store.read((tx) =>
    tx.db.selectFrom('receipt').selectAll().where('run', '=', runId).execute(),
  );
  if (row === undefined) throw new Error('no receipt');
  const { id: _, ...receipt } = row;
  await expect(
    engine.store.write((tx) =>
      tx.db
        .insertInto('receipt')
        .values({ ...receipt, body: '{}' })
        .execute(),
    ),
  ).rejects.toMatchObject({ code: expect.stringMatching(/receipt_conflict|store_constraint/) });
  await expect(
    engine.store.write((tx) => tx.db.updateTable('receipt').set({ body: '{}' }).where('run', '=', runId).execute()),
  ).rejects.toMatchObject({ code: 'store_immutable' });
  await expect(
    engine.store.write((tx) => tx.db.deleteFrom('receipt').where('run', '=', runId).execute()),
  ).rejects.toMatchObject({ code: 'store_immutable' });
});

test('R39 the same step in an unrelated run is executed again, under the same key', async () => {
  const executed: string[] = [];
  const workflow = counting('twice', executed, (count) => (run) => run.step('a', { x: 1 }, () => count('a')));
  await using world = await openTestWorld({ workflows: [workflow] });
  const { engine, runs } = await world.start();
  const keys: string[] = [];
  for (let time = 0; time < 2; time++) {
    const { runId, outcome } = await runs.start({ workflow: 'twice', input: null, actor });
    await outcome;
    keys.push(...(await loadRun(engine.store, runId)).receipts.map((each) => each.receipt.idempotencyKey));
  }
  expect(executed).toEqual(['a', 'a']);
  expect(keys[0]).toBe(keys[1]);
});

test('a start with a key is one run, however often and at once it comes; another request under it is refused (part of D3)', async () => {
  const executed: string[] = [];
  const workflow = counting('keyed', executed, (count) => (run) => run.step('a', {}, () => count('a')));
  await using world = await openTestWorld({ workflows: [workflow] });
  const { runs } = await world.start();
  const start = () => runs.start({ workflow: 'keyed', input: { n: 1 }, actor, idempotencyKey: 'k' });
  const all = await Promise.all(Array.from({ length: 20 }, start));
  await Promise.all(all.map((run) => run.outcome));
  expect(new Set(all.map((run) => run.runId)).size).toBe(1);
  expect(all.filter((run) => run.created)).toHaveLength(1);
  expect(executed).toEqual(['a']);
  await expect(runs.start({ workflow: 'keyed', input: { n: 2 }, actor, idempotencyKey: 'k' })).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  });
});

test('R17 changed code stops before anything new, and names the step, the difference and the way out', async () => {
  const executed: string[] = [];
  const stuck = Promise.withResolvers<void>();
  const version = (target: string, hang: boolean) =>
    defineWorkflow('deploy', { snapshot: 'none' }, async (run) => {
      await run.step('build', { target }, () => executed.push('build') && target);
      await run.step('ship', { target }, async () => {
        executed.push('ship');
        if (hang) {
          stuck.resolve();
          await new Promise(() => {});
        }
        return target;
      });
      return null;
    });
  await using world = await openTestWorld();
  const first = await world.start({ workflows: [version('blue', true)] });
  const { runId } = await first.runs.start({ workflow: 'deploy', input: null, actor });
  await stuck.promise;
  first.die();
  const changed = await world.start({ workflows: [version('green', false)] });
  const { outcome } = await changed.runs.resume(runId, { actor });
  await expect(outcome).rejects.toMatchObject({
    code: 'nondeterministic_workflow',
    details: { step: 'build', path: '/inputs/target', recorded: '"blue"', current: '"green"' },
    hint: expect.stringContaining('fork RUN --from build'),
  });
  expect(executed).toEqual(['build', 'ship']);
  expect(await stateOf(changed, runId)).toBe('running');
  // With the old code it goes on: nothing was lost by trying.
  const back = await world.start({ workflows: [version('blue', false)] });
  expect(await (await back.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  // With the new code it goes on in a fork.
  const fork = await changed.runs.fork(runId, { actor, from: 'build' });
  expect(await fork.outcome).toMatchObject({ state: 'succeeded' });
});

test('R15 a failed run is retried in a new one that shares its good receipts and names origin and reason', async () => {
  const executed: string[] = [];
  let broken = true;
  const workflow = counting('flaky', executed, (count) => async (run) => {
    await run.step('good', {}, () => count('good'));
    return run.step('bad', {}, () => {
      count('bad');
      if (broken) throw new Error('broken');
      return 'mended';
    });
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const failed = await process.runs.start({ workflow: 'flaky', input: null, actor });
  expect(await failed.outcome).toMatchObject({ state: 'failed', failure: { code: 'step_failed' } });
  await expect(process.runs.resume(failed.runId, { actor })).rejects.toMatchObject({ code: 'run_finished' });
  broken = false;
  const retried = await process.runs.retryFailed(failed.runId, { actor, reason: 'mended the thing' });
  expect(await retried.outcome).toMatchObject({ state: 'succeeded', output: 'mended' });
  expect(executed).toEqual(['good', 'bad', 'bad']);
  const [first] = await eventsOf(process, retried.runId);
  expect(first?.data.origin).toMatchObject({
    runId: failed.runId,
    kind: 'retry',
    reason: 'mended the thing',
    receipts: 1,
  });
  // The step that failed has a receipt in the family, so its next execution has a key of its own.
  const keys = [failed.runId, retried.runId].map(async (id) => (await loadRun(process.engine.store, id)).receipts);
  const [before, after] = await Promise.all(keys);
  const bad = [...(before ?? []), ...(after ?? [])]
    .filter((each) => each.receipt.step.name === 'bad')
    .map((each) => each.receipt.idempotencyKey);
  expect(new Set(bad).size).toBe(2);
  await expect(process.runs.retryFailed(retried.runId, { actor, reason: 'x' })).rejects.toMatchObject({
    code: 'run_not_failed',
  });
});

test('R18 a fork shares the receipts before the step, is linked by a row of its own, and is one run a key', async () => {
  const executed: string[] = [];
  const workflow = counting('abc', executed, (count) => async (run) => {
    for (const name of ['a', 'b', 'c']) await run.step(name, {}, () => count(name));
    return null;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const origin = await process.runs.start({ workflow: 'abc', input: null, actor });
  await origin.outcome;
  const before = await eventsOf(process, origin.runId);
  const forks: HeldRun[] = [];
  for (let time = 0; time < 2; time++) {
    const fork = await process.runs.fork(origin.runId, { actor, from: 'b', idempotencyKey: 'fork-1' });
    await fork.outcome;
    forks.push(fork);
  }
  expect(forks[0]?.runId).toBe(forks[1]?.runId);
  expect(executed).toEqual(['a', 'b', 'c', 'b', 'c']);
  const links = await process.engine.store.read((tx) => tx.db.selectFrom('run_link').selectAll().execute());
  expect(links).toMatchObject([{ run: forks[0]?.runId, origin_run: origin.runId, kind: 'fork', from_step: 'b' }]);
  expect(await eventsOf(process, origin.runId)).toEqual(before);
  await expect(process.runs.fork(origin.runId, { actor, from: 'zzz' })).rejects.toMatchObject({
    code: 'step_not_found',
    message: expect.stringContaining('a, b, c'),
  });
});

test('R20 R42 a run that waits for an approval keeps no process, still waits after a crash, and goes on when answered', async () => {
  const executed: string[] = [];
  const workflow = counting('ask', executed, (count) => async (run) => {
    await run.step('before', {}, () => count('before'));
    const answer = await run.approval('release', { prompt: 'Ship it?' });
    return run.step('after', { by: answer.actor }, () => count(answer.approved ? 'shipped' : 'held back'));
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId, outcome } = await first.runs.start({ workflow: 'ask', input: null, actor });
  expect(await outcome).toEqual({ kind: 'waiting', wakeAt: null });
  first.die();
  const second = await world.start();
  const again = await second.runs.resume(runId, { actor });
  expect(await again.outcome).toEqual({ kind: 'waiting', wakeAt: null });
  await expect(
    requestRun(second.engine, runId, { kind: 'approve', step: 'other', comment: null }, { actor }),
  ).rejects.toMatchObject({ code: 'run_not_waiting' });
  const answer = await requestRun(
    second.engine,
    runId,
    { kind: 'approve', step: 'release', comment: 'yes' },
    { actor: 'boss' },
  );
  expect(answer).toMatchObject({ outcome: 'done', by: 'requester' });
  const done = await second.runs.resume(runId, { actor });
  expect(await done.outcome).toMatchObject({ state: 'succeeded', output: 'shipped' });
  expect(executed).toEqual(['before', 'shipped']);
});

test('R42 approve, signal and cancel reach a living holder from another process', async () => {
  const hanging = Promise.withResolvers<void>();
  const workflow = defineWorkflow('busy', { snapshot: 'none' }, async (run) => {
    // One step at work keeps the holder alive while the others wait.
    const work = run.step(
      'work',
      {},
      ({ signal }) =>
        new Promise<string>((_, reject) => {
          hanging.resolve();
          signal.addEventListener('abort', () => reject(new Error('ended')), { once: true });
        }),
    );
    const [denied, payload] = await Promise.all([run.approval('ok', { prompt: 'Go on?' }), run.signal('go')]);
    await run.step('told', { approved: denied.approved, payload }, () => null);
    return work;
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const holder = await world.start();
  const other = await world.start();
  const { runId, outcome } = await holder.runs.start({ workflow: 'busy', input: null, actor });
  await hanging.promise;
  await until(async () => (await loadRun(other.engine.store, runId)).pending.length === 2);
  expect(
    await requestRun(other.engine, runId, { kind: 'deny', step: 'ok', comment: null }, { actor: 'boss' }),
  ).toMatchObject({ outcome: 'done', by: 'holder' });
  expect(
    await requestRun(other.engine, runId, { kind: 'signal', name: 'go', payload: { n: 7 } }, { actor }),
  ).toMatchObject({ outcome: 'done', by: 'holder' });
  await until(async () =>
    (await loadRun(other.engine.store, runId)).receipts.some((each) => each.receipt.step.name === 'told'),
  );
  const told = (await loadRun(other.engine.store, runId)).receipts.find((each) => each.receipt.step.name === 'told');
  expect(told?.receipt.inputs).toEqual({ approved: false, payload: { n: 7 } });
  expect(await requestRun(other.engine, runId, { kind: 'cancel', comment: 'enough' }, { actor: 'boss' })).toMatchObject(
    { outcome: 'done', state: 'canceled' },
  );
  expect(await outcome).toMatchObject({ kind: 'finished', state: 'canceled' });
  const types = (await eventsOf(other, runId)).map((event) => event.type);
  expect(types.at(-1)).toBe('run.canceled');
  expect(await requestRun(other.engine, runId, { kind: 'cancel', comment: null }, { actor })).toMatchObject({
    outcome: 'unchanged',
  });
});

test('R42 cancel without a living holder is done by the requester', async () => {
  const stuck = Promise.withResolvers<void>();
  const workflow = defineWorkflow('hang', { snapshot: 'none' }, async (run) =>
    run.step('hang', {}, () => {
      stuck.resolve();
      return new Promise<null>(() => {});
    }),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId } = await first.runs.start({ workflow: 'hang', input: null, actor });
  await stuck.promise;
  first.die();
  const second = await world.start();
  expect(await requestRun(second.engine, runId, { kind: 'cancel', comment: null }, { actor })).toMatchObject({
    outcome: 'done',
    by: 'requester',
  });
  expect(await stateOf(second, runId)).toBe('canceled');
  await expect(second.runs.resume(runId, { actor })).rejects.toMatchObject({
    code: 'run_finished',
    hint: expect.stringContaining('fork'),
  });
});

test('R21 of two resumes at once one works and the other is told who has the lease', async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const workflow = defineWorkflow('gate', { snapshot: 'none' }, async (run) =>
    run.step('wait', {}, async () => {
      started.resolve();
      await gate.promise;
      return 'through';
    }),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const first = await world.start();
  const { runId } = await first.runs.start({ workflow: 'gate', input: null, actor });
  await started.promise;
  first.die();
  const others = await Promise.all([world.start(), world.start()]);
  const tries = await Promise.allSettled(others.map((process) => process.runs.resume(runId, { actor })));
  const [won] = tries.filter((each) => each.status === 'fulfilled');
  const [lost] = tries.filter((each) => each.status === 'rejected');
  expect(lost?.reason).toMatchObject({ code: 'lease_held' });
  gate.resolve();
  expect(await won?.value.outcome).toMatchObject({ state: 'succeeded' });
  await expect(others[0]?.runs.resume(runId, { actor })).rejects.toMatchObject({
    code: 'run_finished',
    message: expect.stringContaining('succeeded'),
  });
});

test('a holder that lost its lease can change nothing, and its run goes on elsewhere', async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const workflow = defineWorkflow('fence', { snapshot: 'none' }, async (run) => {
    await run.step('wait', {}, async () => {
      started.resolve();
      await gate.promise;
      return 'through';
    });
    return 'end';
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const old = await world.start();
  const { runId, outcome } = await old.runs.start({ workflow: 'fence', input: null, actor });
  await started.promise;
  // A holder on another machine that froze: alive, but its lease has run out and was taken.
  await old.engine.store.write((tx) =>
    tx.db.updateTable('run').set({ epoch: 2, holder: null }).where('id', '=', runId).execute(),
  );
  gate.resolve();
  await expect(outcome).rejects.toMatchObject({ code: 'stale_epoch' });
  const next = await world.start();
  expect(await (await next.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded', output: 'end' });
});

test('R23 a change of the tree with no step in flight needs --accept-drift, and later keys use the new tree', async () => {
  const keys: AgentCommand[] = [];
  const workflow = defineWorkflow('drift', async (run) => {
    await run.agent('worker', { action: 'first' });
    await run.approval('go', { prompt: 'Go on?' });
    await run.agent('worker', { action: 'second' });
    return null;
  });
  const worker = async (command: AgentCommand) => {
    keys.push(command);
    return { outputs: {}, artifacts: [] };
  };
  await using world = await openTestWorld({ workflows: [workflow], agents: { worker } });
  const { runs, engine } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: 'drift', input: null, actor });
  await outcome;
  await writeFile(join(world.root, 'edited.txt'), 'by hand');
  await requestRun(engine, runId, { kind: 'approve', step: 'go', comment: null }, { actor });
  await expect(runs.resume(runId, { actor })).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining('edited.txt (added)'),
    hint: expect.stringContaining('--accept-drift'),
  });
  const accepted = await runs.resume(runId, { actor, acceptDrift: true });
  expect(await accepted.outcome).toMatchObject({ state: 'succeeded' });
  const { receipts } = await loadRun(engine.store, runId);
  const [first, , second] = receipts.map((each) => each.receipt);
  expect(first?.snapshot).not.toBe(second?.snapshot);
  expect(keys.map((command) => command.snapshot?.digest)).toEqual([first?.snapshot, second?.snapshot]);
});

test('R23 changes made while a step was in flight are listed as that attempt and do not stop the resume', async () => {
  const sent: AgentCommand[] = [];
  const half = Promise.withResolvers<void>();
  const workflow = defineWorkflow('halfway', async (run) => (await run.agent('worker', { action: 'edit' })).outputs);
  await using world = await openTestWorld({ workflows: [workflow] });
  const dying = async (command: AgentCommand) => {
    sent.push(command);
    await writeFile(join(world.root, 'half.txt'), 'half');
    half.resolve();
    return new Promise<never>(() => {});
  };
  const finishing = async (command: AgentCommand) => {
    sent.push(command);
    return { outputs: { done: true }, artifacts: [] };
  };
  const first = await world.start({ agents: { worker: dying } });
  const { runId } = await first.runs.start({ workflow: 'halfway', input: null, actor });
  await half.promise;
  first.die();
  const second = await world.start({ agents: { worker: finishing } });
  expect(await (await second.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  const interrupted = (await eventsOf(second, runId)).find((event) => event.type === 'attempt.interrupted');
  expect(interrupted?.data).toMatchObject({ changes: [{ path: 'half.txt', change: 'added' }], changed: 1 });
  expect(sent.map((command) => [command.attempt, command.resent])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect(sent[0]?.idempotencyKey).toBe(sent[1]?.idempotencyKey);
});

const taskInput = (changes: JsonObject = {}): JsonObject => ({
  tasks: [{ id: 'T-1', title: 'A task', goal: 'Do it' }],
  roles: { builder: 'builder', reviewer: 'reviewer', specMaintainer: 'spec' },
  maxIterations: 3,
  ...changes,
});

const tested = { tests: { passed: 1, failed: 0 } };

function team(parts: { builder?: JsonObject; reviews?: number; specs?: number }, log: AgentCommand[] = []) {
  const answer = (outputs: (command: AgentCommand) => JsonObject) => async (command: AgentCommand) => {
    log.push(command);
    return { outputs: outputs(command), artifacts: [] };
  };
  const left = { reviews: parts.reviews ?? 0, specs: parts.specs ?? 0 };
  return {
    builder: answer(() => parts.builder ?? tested),
    reviewer: answer(() =>
      left.reviews-- > 0 ? { verdict: 'changes_requested', findings: [{ say: 'rename it' }] } : { verdict: 'approved' },
    ),
    spec: answer(() =>
      left.specs-- > 0 ? { verdict: 'changes_requested', findings: ['say why'] } : { verdict: 'updated' },
    ),
  };
}

test.each([
  { reviews: 0, specs: 0, expected: 'implement review update_spec' },
  { reviews: 2, specs: 0, expected: 'implement review implement_changes review implement_changes review update_spec' },
  { reviews: 0, specs: 1, expected: 'implement review update_spec implement_changes review update_spec' },
])(
  'R14 task with $reviews reviews and $specs spec updates that ask for changes',
  async ({ reviews, specs, expected }) => {
    const log: AgentCommand[] = [];
    await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ reviews, specs }, log) });
    const { runs } = await world.start();
    const { outcome } = await runs.start({ workflow: 'task', input: taskInput(), tasks: ['T-1'], actor });
    expect(await outcome).toMatchObject({ state: 'succeeded' });
    expect(log.map((command) => command.action).join(' ')).toBe(expected);
    const second = log.find((command) => command.action === 'implement_changes');
    if (reviews + specs > 0)
      expect(second?.inputs.findings).toEqual(reviews > 0 ? [{ say: 'rename it' }] : ['say why']);
    // R3 each pass has a key of its own.
    expect(new Set(log.map((command) => command.idempotencyKey)).size).toBe(log.length);
  },
);

test('R14 maxIterations ends the run as failed with a code', async () => {
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ reviews: 99 }) });
  const { runs } = await world.start();
  const { outcome } = await runs.start({ workflow: 'task', input: taskInput(), tasks: ['T-1'], actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { code: 'max_iterations' } });
});

test.each([
  [{}, {}, 'test_result_missing'],
  [{ tests: 'all fine' }, {}, 'test_result_malformed'],
  [{ tests: { passed: 1, failed: 1, failures: ['parser'] } }, {}, 'tests_failed'],
  [{ tests: { passed: 1, failed: 1 } }, { allowedFailures: ['parser'] }, 'tests_failed'],
])('R15 a builder that answers %j fails the step', async (builder, changes, code) => {
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ builder }) });
  const { runs, failures } = await world.start();
  const { outcome } = await runs.start({ workflow: 'task', input: taskInput(changes), tasks: ['T-1'], actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { code } });
  expect(failures).toMatchObject([{ code, step: 'implement' }]);
});

test('R15 declared failures are allowed to fail', async () => {
  const builder = { tests: { passed: 1, failed: 1, failures: ['parser'] } };
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: team({ builder }) });
  const { runs } = await world.start();
  const { outcome } = await runs.start({
    workflow: 'task',
    input: taskInput({ allowedFailures: ['parser'] }),
    tasks: ['T-1'],
    actor,
  });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
});

test('R38 R20 several tasks run in order in one run, and a crash in the second resumes there', async () => {
  const log: AgentCommand[] = [];
  const tasks = ['T-1', 'T-2', 'T-3'].map((id) => ({ id, title: id, goal: 'Do it' }));
  const stuck = Promise.withResolvers<void>();
  await using world = await openTestWorld({ workflows: [taskWorkflow] });
  const whole = team({}, log);
  const hanging = {
    ...whole,
    reviewer: async (command: AgentCommand) => {
      if (command.task !== 'T-2') return whole.reviewer(command);
      stuck.resolve();
      return new Promise<never>(() => {});
    },
  };
  const first = await world.start({ agents: hanging });
  const { runId } = await first.runs.start({
    workflow: 'task',
    input: taskInput({ tasks }),
    tasks: tasks.map((task) => task.id),
    actor,
  });
  await stuck.promise;
  first.die();
  const second = await world.start({ agents: whole });
  expect(await (await second.runs.resume(runId, { actor })).outcome).toMatchObject({ state: 'succeeded' });
  expect(log.map((command) => `${command.task} ${command.action}`)).toEqual(
    tasks.flatMap(({ id }) => ['implement', 'review', 'update_spec'].map((action) => `${id} ${action}`)),
  );
});

test('a secret in an input is redacted before it is hashed, stored or seen by the workflow', async () => {
  const seen: unknown[] = [];
  const workflow = defineWorkflow('secret', { snapshot: 'none' }, async (run, input) => {
    seen.push(input);
    return run.step('echo', { input }, () => ({ header: 'Authorization: Bearer abcdefghijklmnop1234567890' }));
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({
    workflow: 'secret',
    input: { note: 'password=hunter2hunter2' },
    actor,
  });
  await outcome;
  const text = JSON.stringify([seen, await eventsOf(process, runId), await loadRun(process.engine.store, runId)]);
  expect(text).toContain('[redacted:');
  expect(text).not.toContain('hunter2hunter2');
  expect(text).not.toContain('abcdefghijklmnop1234567890');
});

test('ids from outside are checked before they reach the store', () => {
  expect(() => parseId('run', '../../etc/passwd')).toThrow(expect.objectContaining({ code: 'invalid_id' }));
});
