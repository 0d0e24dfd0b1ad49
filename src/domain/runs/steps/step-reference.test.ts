import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import { openTestWorld } from '../testing/engine.ts';
import { eventsOf } from '../testing/look.ts';

const secret = `ghp_${'aB3dE6gH9j'.repeat(4).slice(0, 36)}`;

test('R28 a secret in the name of a step, of a scope, of an item or of an exception is not stored', async () => {
  const workflow = defineWorkflow('names', { snapshot: 'none' }, async (run) => {
    await run.step(`push ${secret}`, {}, () => 1);
    await run.scope(`as ${secret}`, (inner) => inner.step('in', {}, () => 2));
    await run.each([secret], { key: (item) => item }, (_, inner) => inner.step('in', {}, () => 3));
    await run.sleep(`until ${secret}`, 1);
    const odd = Object.assign(new Error('no'), { name: `Refused ${secret}` });
    return run.step('fails', {}, () => Promise.reject(odd)).catch(() => 'went on');
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({ workflow: 'names', input: null, actor: 'me' });
  expect(await outcome).toMatchObject({ state: 'succeeded', output: 'went on' });
  const bodies = (await eventsOf(process, runId)).map(({ body }) => body);
  expect(bodies.filter((body) => body.includes('[redacted:')).length).toBeGreaterThanOrEqual(9);
  const files = (await readdir(world.data)).filter((name) => name.startsWith('waybill.db'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect((await readFile(join(world.data, file))).includes(secret), file).toBe(false);
});

test('what is thrown without a text fails the step all the same', async () => {
  const workflow = defineWorkflow('odd', { snapshot: 'none' }, (run) =>
    run.step('throws', {}, () => {
      throw Object.create(null);
    }),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const { runs } = await world.start();
  const { outcome } = await runs.start({ workflow: 'odd', input: null, actor: 'me' });
  expect(await outcome).toMatchObject({ kind: 'finished', state: 'failed', failure: { code: 'step_failed' } });
});
