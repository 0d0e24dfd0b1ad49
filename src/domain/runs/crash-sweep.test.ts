import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Receipt } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { Store } from '../../platform/store/store.ts';
import { loadRun } from './load-run.ts';
import type { AgentCommand } from './ports.ts';
import { openTestWorld, type TestProcess, type TestWorld } from './testing/engine.ts';
import { taskWorkflow } from './workflows/task.ts';

const input: JsonObject = {
  tasks: [{ id: 'T-1', title: 'A task', goal: 'Do it' }],
  roles: { builder: 'builder', reviewer: 'reviewer', specMaintainer: 'specMaintainer' },
  maxIterations: 5,
};

/** A review that asks for one change, and a spec update that asks for one: the longest way through the loop. */
function agents(sent: AgentCommand[], world: () => TestWorld) {
  const send = async (command: AgentCommand, outputs: JsonObject) => {
    sent.push(command);
    return { outputs, artifacts: [] };
  };
  return {
    builder: async (command: AgentCommand) => {
      await appendFile(join(world().root, 'work.txt'), `${command.idempotencyKey}\n`);
      return send(command, { tests: { passed: 3, failed: 0 } });
    },
    reviewer: async (command: AgentCommand) =>
      send(
        command,
        command.inputs.iteration === 1
          ? { verdict: 'changes_requested', findings: ['name it'] }
          : { verdict: 'approved' },
      ),
    specMaintainer: async (command: AgentCommand) =>
      send(
        command,
        command.inputs.iteration === 1
          ? { verdict: 'changes_requested', findings: ['say why'] }
          : { verdict: 'updated' },
      ),
  };
}

interface Swept {
  readonly commands: readonly string[];
  readonly receipts: readonly Receipt[];
  readonly state: string;
  readonly operations: number;
}

/** Runs the task, dies right after the `deathAt`-th durable write, and goes on in another process. */
async function runAndDie(
  deathAt: number,
): Promise<
  Swept & { readonly died: boolean; readonly before: readonly Receipt[]; readonly inFlight: readonly string[] }
> {
  const sent: AgentCommand[] = [];
  const box: { world?: TestWorld } = {};
  const theWorld = () => {
    if (box.world === undefined) throw new Error('the world is not made yet');
    return box.world;
  };
  await using world = await openTestWorld({ workflows: [taskWorkflow], agents: agents(sent, theWorld) });
  box.world = world;
  const first = await world.start();
  const died = Promise.withResolvers<void>();
  const counter = dieAfter(first, deathAt, died.resolve);
  const run = await Promise.race([
    first.runs.start({ workflow: 'task', input, tasks: ['T-1'], actor: 'me' }),
    died.promise,
  ]);
  if (run?.outcome) await Promise.race([run.outcome, died.promise]);
  const second = await world.start();
  const runId = await onlyRun(second);
  const before = await loadRun(second.engine.store, runId);
  const dead = counter.dead;
  if (dead && before.row.state === 'running') await (await second.runs.resume(runId, { actor: 'me' })).outcome;
  const after = await loadRun(second.engine.store, runId);
  return {
    died: dead,
    before: before.receipts.map((each) => each.receipt),
    inFlight: before.pending.map((each) => each.idempotencyKey),
    commands: sent.map((command) => command.idempotencyKey),
    receipts: after.receipts.map((each) => each.receipt),
    state: after.row.state,
    operations: counter.count,
  };
}

function dieAfter(process: TestProcess, deathAt: number, died: () => void): { count: number; dead: boolean } {
  const counter = { count: 0, dead: false };
  const store: { submit: Store['submit'] } = process.engine.store;
  const submit = store.submit.bind(process.engine.store);
  store.submit = async (operation) => {
    const place = ++counter.count;
    await submit(operation);
    if (place === deathAt) {
      counter.dead = true;
      process.die();
      died();
    }
    if (counter.dead) await new Promise(() => {});
  };
  return counter;
}

async function onlyRun(process: TestProcess): Promise<RunId> {
  const rows = await process.engine.store.read((tx) => tx.db.selectFrom('run').select('id').execute());
  expect(rows).toHaveLength(1);
  const { parseId } = await import('../../contract/ids.ts');
  return parseId('run', rows[0]?.id);
}

/** What must be equal whether the run crashed or not: everything of a receipt but its times, places and tries. */
function substance(receipt: Receipt) {
  const { number, action, step, idempotencyKey, snapshot, inputs, outcome, outputs } = receipt;
  return { number, action, step, idempotencyKey, snapshot, inputs, outcome, outputs };
}

test('R19 for every prefix of the ledger the resumed run ends as if it had never crashed', {
  timeout: 120_000,
}, async () => {
  const whole = await runAndDie(Number.POSITIVE_INFINITY);
  expect(whole.state).toBe('succeeded');
  expect(whole.receipts.map((each) => each.action)).toEqual([
    'implement',
    'review',
    'implement_changes',
    'review',
    'update_spec',
    'implement_changes',
    'review',
    'update_spec',
  ]);
  let crashes = 0;
  for (let deathAt = 1; deathAt <= whole.operations; deathAt++) {
    const crashed = await runAndDie(deathAt);
    expect(crashed.died).toBe(true);
    crashes += 1;
    expect(crashed.state).toBe('succeeded');
    expect(crashed.receipts.map(substance)).toEqual(whole.receipts.map(substance));
    expect(new Set(crashed.commands)).toEqual(new Set(whole.commands));
    // A step with a receipt is never sent again; one in flight is sent again under its own key, nothing else.
    const finished = new Set(crashed.before.map((each) => each.idempotencyKey));
    const sentTwice = crashed.commands.filter((key, index) => crashed.commands.indexOf(key) !== index);
    for (const key of sentTwice) expect(crashed.inFlight).toContain(key);
    for (const key of sentTwice) expect(finished.has(key)).toBe(false);
    // No receipt is changed by the resume.
    expect(crashed.receipts.slice(0, crashed.before.length)).toEqual(crashed.before);
  }
  expect(crashes).toBe(whole.operations);
  expect(crashes).toBeGreaterThan(15);
});
