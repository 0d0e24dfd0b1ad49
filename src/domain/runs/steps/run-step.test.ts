import { expect, test } from 'vitest';
import { defineWorkflow } from '../../../contract/define.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { loadRun } from '../load-run.ts';
import { openTestWorld } from '../testing/engine.ts';
import { eventsOf, until } from '../testing/look.ts';

const actor = 'me';

test('R9 R27 the attempts of a function go on with the next number after a crash, and its retries are not given again', async () => {
  const version = (hangs: boolean, attempts: number[]) =>
    defineWorkflow('flaky', { snapshot: 'none' }, (run) =>
      run.step(
        'try',
        {},
        async ({ attempt }) => {
          attempts.push(attempt);
          if (hangs && attempt === 2) await new Promise(() => {});
          throw new Error(`attempt ${attempt} failed`);
        },
        { retry: { retries: 2, backoffMs: 1, maxBackoffMs: 1 } },
      ),
    );
  await using world = await openTestWorld();
  const before: number[] = [];
  const first = await world.start({ workflows: [version(true, before)] });
  const { runId } = await first.runs.start({ workflow: 'flaky', input: null, actor });
  await until(async () => before.length === 2);
  first.die();
  const after: number[] = [];
  const second = await world.start({ workflows: [version(false, after)] });
  const { outcome } = await second.runs.resume(runId, { actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { message: 'attempt 3 failed' } });
  // One failed, one was cut off before its start was durable: that one is done over.
  expect([before, after]).toEqual([
    [1, 2],
    [2, 3],
  ]);
  const events = await eventsOf(second, runId);
  const started = events.filter(({ type }) => type === 'attempt.started');
  expect(started.map(({ body }) => JSON.parse(body).attempt)).toEqual([1, 2, 3]);
  expect((await loadRun(second.engine.store, runId)).pending).toEqual([]);
});

test('a decision is recorded as it is stored: without secrets, and only when it can be written', async () => {
  const workflow = defineWorkflow('judge', { snapshot: 'none' }, async (run, input) => {
    const decide = (value: unknown) =>
      value === 'bad' ? Number.NaN : { because: 'password=hunter2hunter2', long: 'x'.repeat(70_000) };
    return await run.decide({ name: 'judge', version: '1', decide }, input);
  });
  await using world = await openTestWorld({ workflows: [workflow] });
  const process = await world.start();
  const good = await process.runs.start({ workflow: 'judge', input: 'good', actor });
  expect(await good.outcome).toMatchObject({ state: 'succeeded' });
  const events = await eventsOf(process, good.runId);
  const recorded = events.find(({ type }) => type === 'decision.recorded');
  expect(recorded?.data).toMatchObject({ engine: 'judge', outputBlob: { size: expect.any(Number) } });
  expect(JSON.stringify(events)).not.toContain('hunter2hunter2');
  const bad = await process.runs.start({ workflow: 'judge', input: 'bad', actor });
  expect(await bad.outcome).toMatchObject({ state: 'failed', failure: { code: 'not_canonical' } });
});

test('a function that never ends and does nothing else is ended by its deadline', async () => {
  const workflow = defineWorkflow('stuck', { snapshot: 'none' }, (run) =>
    run.step('stuck', {}, () => new Promise<null>(() => {}), { deadlineMs: 20 }),
  );
  await using world = await openTestWorld({ workflows: [workflow] });
  const { runs } = await world.start();
  const { outcome } = await runs.start({ workflow: 'stuck', input: null, actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { code: 'step_timeout' } });
});

test('R28 a secret that a command prints in two pieces is not stored, nor the half of one that its failure quotes', async () => {
  const secret = `hunter2${'x'.repeat(495)}`;
  const workflow = defineWorkflow('prints', { snapshot: 'none' }, async (run) => (await run.exec(['print'])).exitCode);
  await using world = await openTestWorld({
    workflows: [workflow],
    command: async (spec, control) => {
      const identity = { pid: 1, startTime: '1', bootId: 'b', host: 'h', marker: spec.marker };
      await control.onStart(identity);
      for (const piece of ['to stdout: pass', 'word=hunter2', 'hunter2\nlast line'])
        await control.onOutput?.(piece, 'stdout');
      control.onGone({ how: 'contained', signaled: 0, left: 0 });
      const output = (text: string) => ({ text, bytes: text.length, digest: digestOf(text), truncated: false });
      return { exitCode: 1, stdout: output('password=hunter2hunter2'), stderr: output(`password=${secret}`) };
    },
  });
  const process = await world.start();
  const { runId, outcome } = await process.runs.start({ workflow: 'prints', input: null, actor });
  expect(await outcome).toMatchObject({ state: 'failed', failure: { code: 'process_exit' } });
  const events = await eventsOf(process, runId);
  const printed = events.filter(({ type }) => type === 'process.output').map(({ data }) => data.text);
  expect(printed.join('')).toMatch(/^to stdout: password=\[redacted:.*\]\nlast line$/);
  const text = JSON.stringify([events, await loadRun(process.engine.store, runId), process.failures]);
  expect(text).not.toMatch(/hunter2|xxxxxx/);
});
