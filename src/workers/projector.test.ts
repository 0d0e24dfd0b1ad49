import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { defineWorkflow } from '../contract/define.ts';
import { runStateSchema } from '../contract/evidence.ts';
import { parseId } from '../contract/ids.ts';
import { verifyFolder } from '../domain/runs/evidence/verify.ts';
import { removeRuns } from '../domain/runs/retention/remove-runs.ts';
import { openAgedWorld } from '../domain/runs/testing/aged-runs.ts';
import { openTestWorld, type TestProcess, type TestWorld } from '../domain/runs/testing/engine.ts';
import { approving, testWorkflows, threeSteps } from '../domain/runs/testing/workflows.ts';
import { Projector } from './projector.ts';

function projectorOf(world: TestWorld, process: TestProcess) {
  const problems: unknown[] = [];
  const folder = join(world.data, 'runs');
  const projector = new Projector(process.engine, folder, { onProblem: (problem) => void problems.push(problem) });
  return { projector, folder, problems };
}

async function stateIn(folder: string, runId: string) {
  return runStateSchema.parse(JSON.parse(await readFile(join(folder, runId, 'run.json'), 'utf8')));
}

test('R12 the files of a run are complete when it has ended and its projector has finished it', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  const { projector, folder, problems } = projectorOf(world, process);
  const { runId, outcome } = await process.runs.start({ workflow: threeSteps.name, input: null, actor: 'me' });
  projector.follow(runId);
  await outcome;
  await projector.finish(runId);
  expect(await verifyFolder(join(folder, runId))).toMatchObject({
    intact: true,
    state: 'succeeded',
    checked: { events: 8 },
  });
  expect(await readdir(join(folder, '.open'))).toEqual([]);
  expect(problems).toEqual([]);
});

test('R12 the files trail a run at work by a second at most, without anybody asking', async () => {
  const gate = Promise.withResolvers<number>();
  const workflow = defineWorkflow('gated', { snapshot: 'none' }, async (run) => {
    await run.step('first', {}, () => 1);
    return await run.step('second', {}, () => gate.promise);
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const { projector, folder, problems } = projectorOf(world, process);
  const { runId, outcome } = await process.runs.start({ workflow: 'gated', input: null, actor: 'me' });
  projector.follow(runId);
  await vi.waitFor(
    async () => expect(await stateIn(folder, runId)).toMatchObject({ state: 'running', steps: 1 }),
    5_000,
  );
  expect(await stateIn(folder, runId)).toMatchObject({ interrupted: false, holder: { alive: true } });
  expect(await readdir(join(folder, '.open'))).toEqual([runId]);
  gate.resolve(2);
  await outcome;
  await vi.waitFor(async () => expect(await stateIn(folder, runId)).toMatchObject({ state: 'succeeded' }), 5_000);
  await projector.close();
  expect(problems).toEqual([]);
});

test('R12 after a crash the next start removes stray temporary files and completes what was left behind', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const first = await world.start();
  const { projector, folder } = projectorOf(world, first);
  const { runId, outcome } = await first.runs.start({ workflow: approving.name, input: null, actor: 'me' });
  projector.follow(runId);
  await outcome;
  await vi.waitFor(async () => expect(await readdir(join(folder, '.open'))).toEqual([runId]), 5_000);
  first.die();
  await mkdir(join(folder, '.writing'), { recursive: true });
  // Of a process that is gone: no pid is that large.
  await writeFile(join(folder, '.writing', '.waybill-tmp-4194999-0123456789abcdef-1'), 'half');
  const second = projectorOf(world, await world.start());
  expect(await second.projector.start()).toEqual({ swept: 1, completed: 1 });
  expect(await verifyFolder(join(folder, runId))).toMatchObject({ intact: true, state: 'waiting' });
  expect(await readdir(join(folder, '.writing'))).toEqual([]);
  expect(await readdir(join(folder, '.open'))).toEqual([]);
  expect(second.problems).toEqual([]);
});

test('R24 a folder that cannot be written is told, does not disturb the run, and finish says it', async () => {
  await using world = await openTestWorld({ workflows: testWorkflows });
  const process = await world.start();
  await writeFile(join(world.data, 'runs'), 'a file where the folder belongs');
  const { projector, problems } = projectorOf(world, process);
  const { runId, outcome } = await process.runs.start({ workflow: threeSteps.name, input: null, actor: 'me' });
  projector.follow(runId);
  expect(await outcome).toMatchObject({ state: 'succeeded' });
  await expect(projector.finish(runId)).rejects.toMatchObject({ code: 'file_write_failed' });
  expect(problems.length).toBeGreaterThan(0);
});

test('R12 a run that another living process works on is left to that process', async () => {
  const gate = Promise.withResolvers<number>();
  const workflow = defineWorkflow('gated', { snapshot: 'none' }, (run) => run.step('only', {}, () => gate.promise));
  await using world = await openTestWorld({ workflows: [workflow] });
  const worker = await world.start();
  const { runId, outcome } = await worker.runs.start({ workflow: 'gated', input: null, actor: 'me' });
  const { projector, folder } = projectorOf(world, await world.start());
  await projector.finish(parseId('run', runId));
  await expect(readdir(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  gate.resolve(1);
  await outcome;
  await projector.finish(parseId('run', runId));
  expect(await stateIn(folder, runId)).toMatchObject({ state: 'succeeded' });
});

test('D25 the files of a run that retention removed stay, and are no longer to be completed', async () => {
  await using aged = await openAgedWorld();
  const { projector, folder, problems } = projectorOf(aged.world, aged.process);
  const runId = await aged.run(40);
  await projector.finish(runId);
  // As a process leaves it that dies before it could say that the files are complete.
  await mkdir(join(folder, '.open'), { recursive: true });
  await writeFile(join(folder, '.open', runId), '');
  const limits = { runDays: 30, runCount: null, dryRun: false, blockers: [], actor: 'me' };
  expect(await removeRuns(aged.process.engine, limits)).toMatchObject({ removed: 1 });
  expect(await projector.start()).toEqual({ swept: 0, completed: 0 });
  expect(problems).toEqual([]);
  expect(await readdir(join(folder, '.open'))).toEqual([]);
  expect(await verifyFolder(join(folder, runId))).toMatchObject({ intact: true, state: 'succeeded' });
});
