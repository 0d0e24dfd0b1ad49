import { expect, test } from 'vitest';
import { defineWorkflow } from '../../contract/define.ts';
import { loadRun } from './load-run.ts';
import { openTestWorld } from './testing/engine.ts';

// The compiler refuses these; plain JavaScript and a cast do not.
const unusable: readonly [string, unknown][] = [
  ['a function', () => 1],
  ['a date', new Date(0)],
  ['not a number', { a: [Number.NaN] }],
];

test.each(unusable)(
  'R16 a workflow that returns %s fails, and does not stay interrupted for ever',
  async (_, value) => {
    const workflow = defineWorkflow('odd', { snapshot: 'none' }, async () => JSON.parse('{}', () => value));
    await using world = await openTestWorld({ workflows: [workflow] });
    const { engine, runs } = await world.start();
    const { runId, outcome } = await runs.start({ workflow: 'odd', input: null, actor: 'me' });
    expect(await outcome).toMatchObject({ kind: 'finished', state: 'failed', failure: { code: 'not_canonical' } });
    expect((await loadRun(engine.store, runId)).row.state).toBe('failed');
  },
);
