import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WaybillError } from '../../contract/errors.ts';
import { parseId } from '../../contract/ids.ts';
import { command, mockAgentOf, Scene, within } from '../../executors/agents/fixtures/scene.ts';
import { readMockScript } from './mock-agent.ts';
import type { MockScript } from './mock-script.ts';

const key = (n: number) => parseId('idempotencyKey', `ik:${String(n).padStart(64, '0')}`);

async function scripted(scene: Scene, script: MockScript): Promise<readonly string[]> {
  const path = join(scene.workspace, 'script.json');
  await writeFile(path, JSON.stringify(script));
  return mockAgentOf(path);
}

const review: MockScript = {
  name: 'reviewer',
  actions: {
    review: [
      [{ do: 'complete', outputs: { verdict: 'changes' } }],
      [{ do: 'complete', outputs: { verdict: 'approved' } }],
    ],
  },
};

describe('R30 the mock agent', () => {
  test('R30 gives each command of an action its own sequence, by key and not by count, also after a restart', async () => {
    await using scene = await Scene.create();
    const argv = await scripted(scene, review);
    const ask = async (keys: readonly number[]) => {
      const session = await scene.open({ command: argv });
      const verdicts: unknown[] = [];
      for (const n of keys) {
        const answer = await session.send(command({}, { action: 'review', idempotencyKey: key(n) }), within(8000));
        verdicts.push(answer.outputs.verdict);
      }
      await session.close(500);
      return verdicts;
    };
    expect(await ask([1])).toEqual(['changes']);
    expect(await ask([1, 2, 1])).toEqual(['changes', 'approved', 'changes']);
    expect(await ask([2, 3, 1])).toEqual(['approved', 'approved', 'changes']);
    const log = await readFile(join(scene.workspace, '.waybill/agents/reviewer/executions.ndjson'), 'utf8');
    const executions = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(executions.map(({ place }) => place)).toEqual([0, 0, 1, 0, 1, 2, 0]);
    expect(executions[0]).toMatchObject({
      idempotencyKey: key(1),
      action: 'review',
      step: 'implement',
      attempt: 1,
      resent: false,
    });
  });

  test('R30 several at once share their memory: each key has one place', async () => {
    await using scene = await Scene.create();
    const argv = await scripted(scene, review);
    const sessions = await Promise.all([1, 2, 3].map(() => scene.open({ command: argv })));
    await Promise.all(
      sessions.map((session, n) =>
        session.send(command({}, { action: 'review', idempotencyKey: key(n) }), within(8000)),
      ),
    );
    const places = join(scene.workspace, '.waybill/agents/reviewer/places/review');
    expect((await readdir(places)).sort()).toEqual(['0', '1', '2']);
    const holders = await Promise.all(['0', '1', '2'].map((place) => readFile(join(places, place), 'utf8')));
    expect(holders.sort()).toEqual([key(0), key(1), key(2)]);
  });

  test('R30 is the command waybill mock-agent --script FILE, also for an agent that ends badly', async () => {
    await using scene = await Scene.create();
    const root = resolve(import.meta.dirname, '../../..');
    const play = (fixture: string) => [
      join(root, 'bin/waybill'),
      'mock-agent',
      '--script',
      join(root, 'fixtures/mock-agent', `${fixture}.json`),
    ];
    const good = await scene.open({ command: play('well-behaved') });
    expect(await good.send(command(), within(8000))).toMatchObject({ outputs: { done: true } });
    const bad = await scene.open({ command: play('exits-during') });
    await expect(bad.send(command(), within(8000))).rejects.toMatchObject({
      code: 'agent_exited',
      details: { exitCode: 3 },
    });
    await expect(scene.open({ command: [...play('x').slice(0, 3), 'no-such-script.json'] })).rejects.toMatchObject({
      code: 'agent_exited',
      details: { phase: 'hello', exitCode: 2, stderr: expect.stringContaining('no-such-script.json') },
    });
  });

  test('R30 an act can belong to one attempt', async () => {
    await using scene = await Scene.create();
    const argv = await scripted(scene, {
      actions: {
        implement: [
          [
            { do: 'error', code: 'busy', message: 'later', retryable: true, attempt: 1 },
            { do: 'complete', attempt: 2 },
          ],
        ],
      },
    });
    const session = await scene.open({ command: argv });
    await expect(session.send(command(), within(8000))).rejects.toMatchObject({ code: 'agent_error' });
    expect((await session.send(command({}, { attempt: 2 }), within(8000))).outputs).toEqual({});
  });

  test('R30 edits the workspace and waits as told', async () => {
    await using scene = await Scene.create();
    await writeFile(join(scene.workspace, 'old.txt'), 'gone');
    const argv = await scripted(scene, {
      actions: {
        implement: [
          [
            { do: 'write', path: 'a/b.txt', content: 'one one' },
            { do: 'edit', path: 'a/b.txt', find: 'one', replace: '$&two' },
            { do: 'remove', path: 'old.txt' },
            { do: 'delay', ms: 200 },
            { do: 'complete', artifacts: ['a/b.txt'] },
          ],
        ],
      },
    });
    const session = await scene.open({ command: argv });
    const startedAt = performance.now();
    const { artifacts } = await session.send(command(), within(8000));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(190);
    expect(artifacts).toMatchObject([{ path: 'a/b.txt', size: 11 }]);
    expect(await readFile(join(scene.workspace, 'a/b.txt'), 'utf8')).toBe('$&two $&two');
    expect(await readdir(scene.workspace)).not.toContain('old.txt');
  });

  test('R40 with dedupe a repeated key is not executed again, also after a restart', async () => {
    await using scene = await Scene.create();
    const argv = await scripted(scene, {
      dedupe: true,
      actions: { implement: [[{ do: 'complete', outputs: { n: 1 } }], [{ do: 'complete', outputs: { n: 2 } }]] },
    });
    for (let start = 0; start < 2; start++) {
      const session = await scene.open({ command: argv });
      for (let n = 0; n < 2; n++) expect((await session.send(command(), within(8000))).outputs).toEqual({ n: 1 });
      await session.close(500);
    }
    const log = await readFile(join(scene.workspace, '.waybill/agents/mock/executions.ndjson'), 'utf8');
    expect(log.trim().split('\n').length).toBe(1);
  });

  test.each([
    ['{', 'cannot read'],
    ['{"actions":{"implement":[[{"do":"dance"}]]}}', 'actions.implement.0.0'],
    ['{"actions":{"implement":[]}}', 'actions.implement'],
    ['{"acts":1}', 'acts'],
  ])('R30 the script %s is refused with the place', async (text, place) => {
    await using scene = await Scene.create();
    const path = join(scene.workspace, 'script.json');
    await writeFile(path, text);
    const failure = await readMockScript(path).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WaybillError);
    expect(failure).toMatchObject({ code: 'invalid_input', message: expect.stringContaining(place) });
  });

  test('R30 every shipped fixture is a script and says what it is for', async () => {
    const folder = resolve(import.meta.dirname, '../../../fixtures/mock-agent');
    const files = await readdir(folder);
    expect(files.length).toBeGreaterThan(30);
    for (const file of files)
      expect((await readMockScript(join(folder, file))).description?.length, file).toBeGreaterThan(10);
  });
});
