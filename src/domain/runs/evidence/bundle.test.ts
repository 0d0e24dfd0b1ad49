import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTestWorld } from '../testing/engine.ts';
import { testWorkflows, threeSteps } from '../testing/workflows.ts';
import { writeBundle } from './bundle.ts';

test('R12 what a killed export left in its folder is gone after the next one, and nothing else is', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const { engine, runs } = await world.start();
  const { runId, outcome } = await runs.start({ workflow: threeSteps.name, input: null, actor: 'me' });
  await outcome;
  // No process has such a number: the largest Linux gives is 4194304.
  await writeFile(join(world.root, '.waybill-tmp-4194399-0123456789abcdef-1'), 'half a bundle');
  await writeFile(join(world.root, 'other'), 'stays');
  await writeBundle(engine, runId, join(world.root, 'run.bundle'));
  expect((await readdir(world.root)).sort()).toEqual(['other', 'run.bundle']);
});
