import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../../contract/json.ts';
import { displayStep, idempotencyKey, OccurrenceCounter, type StepWork, workKey } from './step-key.ts';

const work: StepWork = {
  action: 'implement',
  task: 'T-0042',
  inputs: { goal: 'Add a flag', limits: { files: 3, lines: 40 } },
  expectedOutputs: ['src/flag.js'],
  step: { scope: ['task:T-0042'], name: 'implement', occurrence: 1 },
};
const salt = { snapshot: `sha256:${'a'.repeat(64)}`, root: '' };

describe('R1 the same command has the same key', () => {
  test('in another process, whatever the order of its keys', () => {
    const module = JSON.stringify(join(import.meta.dirname, 'step-key.ts'));
    const reversed = {
      step: { occurrence: 1, name: 'implement', scope: ['task:T-0042'] },
      expectedOutputs: ['src/flag.js'],
      inputs: { limits: { lines: 40, files: 3 }, goal: 'Add a flag' },
      task: 'T-0042',
      action: 'implement',
    };
    const program = `import { idempotencyKey } from ${module};
      console.log(idempotencyKey(${JSON.stringify(reversed)}, ${JSON.stringify(salt)}));`;
    const other = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
      encoding: 'utf8',
    });
    expect(other.trim()).toBe(idempotencyKey(work, salt));
  });

  test('and any change of what it is, or where it stands, gives another', () => {
    const changed: StepWork[] = [
      { ...work, action: 'review' },
      { ...work, task: 'T-0043' },
      { ...work, task: null },
      { ...work, inputs: { goal: 'Add a flag', limits: { files: 3, lines: 41 } } },
      { ...work, expectedOutputs: [] },
      { ...work, step: { ...work.step, scope: [] } },
      { ...work, step: { ...work.step, name: 'implement_changes' } },
      { ...work, step: { ...work.step, occurrence: 2 } },
    ];
    const keys = [
      idempotencyKey(work, salt),
      idempotencyKey(work, { ...salt, snapshot: `sha256:${'b'.repeat(64)}` }),
      idempotencyKey(work, { ...salt, snapshot: null }),
      idempotencyKey(work, { ...salt, root: 'retry:run-20261122-101500-1a2b3c4d' }),
      ...changed.map((one) => idempotencyKey(one, salt)),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('a tree or an origin names the work anew for the agent, not for the receipt it is found by', () => {
    expect(workKey(work)).toBe(workKey({ ...work }));
    expect(workKey(work)).not.toBe(workKey({ ...work, inputs: null }));
  });
});

test('R2 no two different commands share a key through separators in their parts', () => {
  const part = fc.stringMatching(/^[ab/:,."\\#\n]{0,3}$/);
  const command = fc.record({
    action: part,
    task: part,
    inputs: fc.dictionary(part, part, { maxKeys: 2 }),
    expectedOutputs: fc.array(part, { maxLength: 2 }),
    step: fc.record({
      scope: fc.array(part, { maxLength: 2 }),
      name: part,
      occurrence: fc.integer({ min: 1, max: 2 }),
    }),
  });
  fc.assert(
    fc.property(command, command, (one, other) => {
      const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
      expect(idempotencyKey(one, salt) === idempotencyKey(other, salt)).toBe(same);
    }),
    { numRuns: 2_000 },
  );
});

function sorted(command: StepWork): JsonValue {
  const inputs = Object.entries(command.inputs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const { action, task, expectedOutputs, step } = command;
  return [action, task, inputs.map((entry) => [...entry]), expectedOutputs, [step.scope, step.name, step.occurrence]];
}

describe('R3 each pass of a loop has a key of its own', () => {
  test('also when it asks for the same work, and a second execution gives the same keys again', () => {
    const passes = () => {
      const counter = new OccurrenceCounter();
      return ['review', 'implement', 'review', 'review'].map((name) => {
        const occurrence = counter.next([], name, { diff: 'same' });
        return idempotencyKey({ ...work, step: { scope: [], name, occurrence } }, salt);
      });
    };
    expect(new Set(passes()).size).toBe(4);
    expect(passes()).toEqual(passes());
  });

  test('different steps at once are numbered alike in whatever order they come', () => {
    const steps = [1, 2, 3, 2, 1, 2].map((input, index) => ({ name: index % 2 === 0 ? 'even' : 'odd', input }));
    const numbered = (order: typeof steps) => {
      const counter = new OccurrenceCounter();
      return order
        .map(({ name, input }) =>
          displayStep({ scope: [String(input)], name, occurrence: counter.next([], name, input) }),
        )
        .sort();
    };
    fc.assert(
      fc.property(fc.shuffledSubarray(steps, { minLength: steps.length }), (order) => {
        expect(numbered(order)).toEqual(numbered(steps));
      }),
    );
  });
});
