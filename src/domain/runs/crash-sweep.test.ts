import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import type { Receipt } from '../../contract/evidence.ts';
import type { JsonObject } from '../../contract/json.ts';
import { StepError } from '../../contract/step-error.ts';
import type { AgentCommand } from './ports.ts';
import type { TestWorld } from './testing/engine.ts';
import { runAndDie, substance } from './testing/run-and-die.ts';
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

const request = { workflow: 'task', input, tasks: ['T-1'], actor: 'me' };

test('R19 for every prefix of the ledger the resumed run ends as if it had never crashed', {
  timeout: 120_000,
}, async () => {
  let sent: AgentCommand[] = [];
  const once = (deathAt: number) => {
    sent = [];
    return runAndDie((world) => ({ workflows: [taskWorkflow], agents: agents(sent, world) }), request, deathAt);
  };
  const whole = await once(Number.POSITIVE_INFINITY);
  const allKeys = new Set(sent.map((command) => command.idempotencyKey));
  expect(whole.state).toBe('succeeded');
  expect(whole.receipts.map((each) => each.action)).toEqual([
    ...[
      'implement',
      'review',
      'implement_changes',
      'review',
      'update_spec',
      'implement_changes',
      'review',
      'update_spec',
    ],
  ]);
  let crashes = 0;
  for (let deathAt = 1; deathAt <= whole.operations; deathAt++) {
    const crashed = await once(deathAt);
    expect(crashed.died).toBe(true);
    crashes += 1;
    expect(crashed.state).toBe('succeeded');
    expect(crashed.receipts.map(substance)).toEqual(whole.receipts.map(substance));
    // A step with a receipt is never sent again; one in flight is sent again under its own key, nothing else.
    const keys = sent.map((command) => command.idempotencyKey);
    expect(new Set(keys)).toEqual(allKeys);
    for (const key of keys.filter((each, index) => keys.indexOf(each) !== index)) {
      expect(crashed.before.inFlight).toContain(key);
      expect(crashed.before.receipts.map((each) => each.idempotencyKey)).not.toContain(key);
    }
    // No receipt is changed by the resume.
    expect(crashed.receipts.slice(0, crashed.before.receipts.length)).toEqual(crashed.before.receipts);
  }
  expect(crashes).toBe(whole.operations);
  expect(crashes).toBeGreaterThan(15);
});

test('R16 a workflow with concurrency, a loop, a branch and a caught error resumes from every crash point', {
  timeout: 120_000,
}, async () => {
  const executed: string[] = [];
  const own = defineWorkflow('own', { snapshot: 'none' }, async (run) => {
    const count = (name: string) => {
      executed.push(name);
      return name.length;
    };
    const parts = await run.each(['a', 'bb', 'ccc'], { key: (item) => item }, async (item, each) => {
      const size = await each.step('size', { item }, () => count(item));
      return each.step('double', { size }, () => size * 2);
    });
    const [left, right] = await Promise.all([
      run.step('left', {}, () => count('left')),
      run.step('right', {}, () => count('right')),
    ]);
    let total = left + right;
    for (const part of parts) total += await run.step('add', { part }, () => part);
    const caught = await run
      .step('fails', {}, () => {
        throw new TypeError('on purpose');
      })
      .then(
        () => 'nothing',
        (error: unknown) => (error instanceof StepError ? `${error.code}: ${error.message}` : 'another error'),
      );
    if (total > 10) await run.step('big', { total }, () => count('big'));
    const first = await Promise.race([
      run.step('slow', {}, async () => delay(20, 'slow')),
      run.step('fast', {}, () => 'fast'),
    ]);
    return { total, caught, first };
  });
  const once = (deathAt: number) =>
    runAndDie(() => ({ workflows: [own] }), { workflow: 'own', input: null, actor: 'me' }, deathAt);
  const whole = await once(Number.POSITIVE_INFINITY);
  expect(JSON.parse(whole.output ?? '')).toEqual({ total: 21, caught: 'step_failed: on purpose', first: 'fast' });
  let crashes = 0;
  for (let deathAt = 1; deathAt <= whole.operations; deathAt++) {
    const crashed = await once(deathAt);
    crashes += crashed.died ? 1 : 0;
    expect(crashed.state).toBe('succeeded');
    expect(crashed.output).toBe(whole.output);
    expect(bySubstance(crashed.receipts)).toEqual(bySubstance(whole.receipts));
  }
  expect(crashes).toBe(whole.operations);
});

/** Concurrent steps may finish in another order: the multiset is what counts. */
function bySubstance(receipts: readonly Receipt[]): string[] {
  return receipts.map((receipt) => JSON.stringify(substance(receipt))).sort();
}
