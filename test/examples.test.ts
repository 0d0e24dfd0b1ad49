import { cp, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { commit } from '../demo/make-project.ts';
import { program, waybill, waybillJson } from '../demo/programs.ts';
import { readRun } from '../demo/read-run.ts';

// The examples are what people copy: each is run by the real program, in a repository of its own.
vi.setConfig({ testTimeout: 90_000 });
const quiet = { aloud: false };
let root = '';

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'waybill-examples-')));
  await cp(join(import.meta.dirname, '..', 'examples', 'release'), root, { recursive: true });
  await program(root, ['git', 'init', '--quiet'], quiet);
  await waybill(root, ['init'], quiet);
  await commit(root, 'The example');
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function newestRun(): Promise<string> {
  const [list] = await waybillJson(root, ['runs']);
  return z.object({ runs: z.array(z.object({ runId: z.string() })) }).parse(list).runs[0]?.runId ?? '';
}

async function released(): Promise<unknown> {
  return JSON.parse(await readFile(join(root, 'dist', 'released.json'), 'utf8'));
}

const namesOf = ({ receipts }: Awaited<ReturnType<typeof readRun>>) =>
  receipts.map(({ step }) => [...step.scope, step.name].join('/')).sort();

test('R16 R42 the example `release` waits for a person without a process, and publishes once approved', async () => {
  const input = JSON.stringify({ packages: ['core', 'web'] });
  const first = await waybill(root, ['run', '--workflow', 'release', '--input', input], quiet);
  expect(first.lines).toContainEqual(expect.stringContaining('Publish core, web as a minor release?'));
  const runId = await newestRun();
  const waiting = await readRun(root, runId);
  expect(waiting).toMatchObject({ state: 'waiting', interrupted: false });
  const before = ['each:core/build', 'each:web/build', 'licenses', 'links', 'version-rule'];
  expect(namesOf(waiting)).toEqual(before);
  await expect(released()).rejects.toThrow('ENOENT');

  expect((await waybill(root, ['approve', runId, '--comment', 'go'], quiet)).exitCode).toBe(0);
  expect((await waybill(root, ['resume', runId], quiet)).exitCode).toBe(0);
  const done = await readRun(root, runId);
  expect(done.state).toBe('succeeded');
  expect(namesOf(done)).toEqual([...before, 'publish', 'publish'].sort());
  // What was done before the wait was not done again, and the publish was sent under its recorded key.
  expect(done.receipts.slice(0, before.length)).toEqual(waiting.receipts);
  expect(await released()).toEqual({ bump: 'minor', by: `${runId} ${done.receipts.at(-1)?.idempotencyKey}` });
});

test('R18 a fork of it from the decision shares what was built, and a denied one fails', async () => {
  const original = await newestRun();
  await waybill(root, ['fork', original, '--from', 'version-rule'], quiet);
  const forkId = await newestRun();
  expect(forkId).not.toBe(original);
  const fork = await readRun(root, forkId);
  expect(fork.events.filter(({ type }) => type === 'attempt.started').map(({ step }) => step?.name)).toEqual([
    'version-rule',
  ]);
  await waybill(root, ['deny', forkId, '--comment', 'not on a Friday'], quiet);
  const resumed = await waybill(root, ['resume', forkId], quiet);
  expect(resumed.exitCode).toBe(1);
  expect(resumed.lines).toContainEqual(expect.stringContaining('approval_denied: not on a Friday'));
});
