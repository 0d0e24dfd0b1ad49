import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { runAnswerSchema, runDetailSchema } from '../src/contract/api/runs.ts';
import { type Answer, type Daemon, freePort, startDaemon } from './support/daemon.ts';
import { engines, openDaemonStore, type StoreEngine, storeSettings } from './support/daemon-store.ts';
import { effectTools, toolEffects, workOf } from './support/effect-tools.ts';
import { eventually } from './support/eventually.ts';
import { readStream } from './support/read-stream.ts';
import { makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// `waybill serve` as a process of its own, and what people do to such processes.
vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const until = (file) => ['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', process.env.TEST_OUTSIDE + '/' + file];
const held = defineWorkflow('held', { snapshot: 'none' }, async (run, n) => {
  const counted = await run.tool('count', { n });
  await run.exec(until('go'), { name: 'hold' });
  return run.step('last', { counted }, () => counted.n + 1);
});
const two = defineWorkflow('two', { snapshot: 'none' }, async (run) => {
  await run.exec(until('first'), { name: 'first' });
  await run.exec(until('second'), { name: 'second' });
  return 'done';
});
export default defineConfig({
  workflows: [held, two],
  evidence: 'on-demand',
  daemon: { concurrency: Number(process.env.TEST_CONCURRENCY ?? 4), drainMs: Number(process.env.TEST_DRAIN_MS ?? 1500), heartbeatMs: 200 },
  ${storeSettings},
});
`;

async function scene(engine: StoreEngine, env: Readonly<Record<string, string>> = {}) {
  const store = await openDaemonStore(engine);
  const workspace = await makeWorkspace({ configuration, files: effectTools, env: { ...store.env, ...env } });
  return {
    store,
    workspace,
    [Symbol.asyncDispose]: async () => {
      await workspace[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

async function submit(daemon: Daemon, body: object, key?: string): Promise<Answer & { readonly runId: string }> {
  const headers = key === undefined ? {} : { 'idempotency-key': key };
  const answer = await daemon.ask('POST', '/v1/runs', { body, headers });
  return { ...answer, runId: runAnswerSchema.parse(answer.body, { error: () => answer.text }).runId };
}

async function detail(daemon: Daemon, runId: string) {
  return runDetailSchema.parse((await daemon.ask('GET', `/v1/runs/${runId}`)).body);
}

async function reaches(daemon: Daemon, runId: string, state: string): Promise<void> {
  await eventually(`${runId} is ${state}`, async () =>
    (await detail(daemon, runId)).state === state ? true : undefined,
  );
}

/** Waits until the command of this step runs. */
async function holds(daemon: Daemon, runId: string, step: string): Promise<void> {
  const shape = z.object({ pending: z.array(z.object({ step: z.object({ name: z.string() }) })) });
  await eventually(`${runId} is in ${step}`, async () => {
    const { pending } = shape.parse((await daemon.ask('GET', `/v1/runs/${runId}`)).body);
    return pending.some((each) => each.step.name === step) ? true : undefined;
  });
}

async function allow(workspace: TestWorkspace, file: string): Promise<void> {
  await workspace.write(`../outside/${file}`, '');
}

describe('start', () => {
  test('the first line is the address; it answers there, and asks for the token it keeps in a file', async () => {
    await using it = await scene('sqlite');
    const daemon = await startDaemon(it.workspace);
    const { port } = new URL(daemon.url);
    expect(Number(port)).toBeGreaterThan(0);
    expect((await daemon.ask('GET', '/healthz', { token: null })).body).toMatchObject({ status: 'ok' });
    expect((await daemon.ask('GET', '/readyz', { token: null })).body).toMatchObject({ ready: true });
    expect((await daemon.ask('GET', '/v1/runs', { token: null })).status).toBe(401);
    expect((await daemon.ask('GET', '/v1/runs')).body).toEqual({ runs: [], nextCursor: null });
    expect(daemon.process.lines.join('\n')).not.toContain(daemon.token);
    const { code, stderr } = await daemon.stop();
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining(daemon.token) });
  });

  test('a second daemon of the same workspace is refused, and says which one has it', async () => {
    await using it = await scene('sqlite');
    const daemon = await startDaemon(it.workspace);
    const second = await it.workspace.start(['serve', '--port', '0', '--json']).finished;
    expect(second.code, second.stderr).toBe(2);
    expect(`${second.stdout}${second.stderr}`).toContain('daemon_running');
    expect(`${second.stdout}${second.stderr}`).toContain('.waybill/daemon.sock');
    expect((await daemon.ask('GET', '/healthz')).status).toBe(200);
    // Its claim dies with it, however it ends.
    await daemon.kill();
    const next = await startDaemon(it.workspace);
    expect((await next.ask('GET', '/readyz')).body).toMatchObject({ ready: true });
  });
});

describe.each(engines)('%s', (engine) => {
  test('D4 the replay of a key survives a crash and a restart, and 50 at once give one execution', async () => {
    await using it = await scene(engine);
    const port = await freePort();
    const body = { tool: 'count', input: { n: 21 } };
    const first = await startDaemon(it.workspace, { port });
    const many = await Promise.all(Array.from({ length: 50 }, () => submit(first, body, 'once')));
    expect(new Set(many.map(({ runId }) => runId)).size).toBe(1);
    expect(many.filter(({ status }) => status === 201)).toHaveLength(1);
    const [{ runId } = { runId: '' }] = many;
    await reaches(first, runId, 'succeeded');
    await first.kill();

    const second = await startDaemon(it.workspace, { port });
    const again = await submit(second, { input: { n: 21 }, tool: 'count' }, 'once');
    expect(again).toMatchObject({ status: 200, runId, body: { state: 'succeeded', output: { n: 42 } } });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const other = await second.ask('POST', '/v1/runs', {
      body: { tool: 'count', input: { n: 22 } },
      headers: { 'idempotency-key': 'once' },
    });
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
    expect(await toolEffects(it.workspace)).toHaveLength(1);
    expect(await it.store.rows(it.workspace, 'SELECT id FROM run')).toHaveLength(1);
  });

  test('D14 a follower that comes back with Last-Event-ID after a crash in mid-run misses and repeats nothing', async () => {
    await using it = await scene(engine);
    const port = await freePort();
    const first = await startDaemon(it.workspace, { port });
    const { runId } = await submit(first, { workflow: 'two', input: null });
    const followers = (['sse', 'ndjson'] as const).map((format) => readStream(first, runId, { format }));
    await holds(first, runId, 'first');
    await first.kill();
    await allow(it.workspace, 'first');
    const second = await startDaemon(it.workspace, { port });
    await holds(second, runId, 'second');
    await second.kill();
    const third = await startDaemon(it.workspace, { port });
    await allow(it.workspace, 'second');
    const [whole, ...rest] = await Promise.all(followers);
    expect(whole?.connections).toBeGreaterThanOrEqual(2);
    expect(whole?.events.map(({ seq }) => seq)).toEqual(whole?.events.map((_, index) => index + 1));
    expect(whole?.events.at(-1)?.type).toBe('run.succeeded');
    for (const each of rest) expect(each.events).toEqual(whole?.events);
    const middle = Math.floor((whole?.events.length ?? 0) / 2);
    const tail = await readStream(third, runId, { lastEventId: middle });
    expect(tail).toMatchObject({ events: whole?.events.slice(middle), connections: 1 });
  });

  test('D9 SIGTERM: no new work, steps finish within the drain time, the rest is handed over, and the next daemon goes on', async () => {
    await using it = await scene(engine, { TEST_CONCURRENCY: '2' });
    const port = await freePort();
    const first = await startDaemon(it.workspace, { port });
    const held = await submit(first, { workflow: 'held', input: 1 });
    await holds(first, held.runId, 'hold');
    const brief = await submit(first, { tool: 'count', input: { n: 5, ms: 700 } });
    await eventually('the brief one has begun', async () =>
      (await toolEffects(it.workspace)).some(({ runId }) => runId === brief.runId) ? true : undefined,
    );
    const queued = await submit(first, { tool: 'count', input: { n: 7 } });
    const follower = readStream(first, held.runId);
    const stopped = await first.stop();
    expect(stopped, stopped.stderr).toMatchObject({ code: 0, signal: null });

    const rows = await it.store.rows(it.workspace, 'SELECT id, state FROM run ORDER BY id');
    const states = new Map(rows.map(({ id, state }) => [id, state]));
    expect(states.get(brief.runId)).toBe('succeeded');
    expect(states.get(held.runId)).toBe('running');
    expect(states.get(queued.runId)).toBe('queued');
    await expect(first.ask('GET', '/healthz')).rejects.toThrow();

    const second = await startDaemon(it.workspace, { port });
    await allow(it.workspace, 'go');
    await reaches(second, held.runId, 'succeeded');
    await reaches(second, queued.runId, 'succeeded');
    expect(await detail(second, held.runId)).toMatchObject({ output: 3 });
    const { events, end } = await follower;
    expect(end).toBeNull();
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const types = events.map(({ type }) => type);
    expect(types.indexOf('run.interrupted')).toBeGreaterThan(0);
    expect(types.indexOf('run.resumed')).toBeGreaterThan(types.indexOf('run.interrupted'));
    // Each of the three was done once: a step that had its receipt is not done again by whoever takes over.
    const works = (await toolEffects(it.workspace)).map(workOf);
    expect(works).toHaveLength(3);
    expect(new Set(works).size).toBe(3);
    expect((await second.stop()).code).toBe(0);
  });

  test('D9 a second SIGTERM ends a drain at once, and nothing is lost by it', async () => {
    await using it = await scene(engine, { TEST_DRAIN_MS: '80000' });
    const first = await startDaemon(it.workspace);
    const { runId } = await submit(first, { workflow: 'two', input: null });
    await holds(first, runId, 'first');
    first.process.kill('SIGTERM');
    await eventually('it drains', async () => {
      const answer = await first.ask('POST', '/v1/runs', { body: { workflow: 'two', input: null } }).catch(() => null);
      return answer?.status === 503 || answer === null ? true : undefined;
    });
    expect(first.process.ended).toBe(false);
    const began = performance.now();
    const { signal } = await first.stop();
    expect(signal).not.toBe('SIGKILL');
    expect(performance.now() - began).toBeLessThan(40_000);
    const second = await startDaemon(it.workspace);
    await allow(it.workspace, 'first');
    await allow(it.workspace, 'second');
    await reaches(second, runId, 'succeeded');
  });
});

test.each(engines)(
  '%s: two daemons in two processes share one queue: each run is done once, and the dead one leaves its work to the other',
  async (engine) => {
    await using it = await scene(engine, { TEST_CONCURRENCY: '3' });
    const { workspace: one, store } = it;
    const left = await startDaemon(one);
    // On PostgreSQL another machine with a checkout of its own; on SQLite one more daemon at the same files.
    await using other =
      engine === 'postgres'
        ? await makeWorkspace({
            configuration,
            files: effectTools,
            env: { ...store.env, TEST_CONCURRENCY: '3', TEST_OUTSIDE: one.outside },
          })
        : null;
    const right = await startDaemon(other ?? one, { args: ['--no-socket'] });
    const made = await Promise.all(
      Array.from({ length: 24 }, (_, n) => submit(n % 4 === 0 ? right : left, { tool: 'count', input: { n, ms: 80 } })),
    );
    // Either may be asked about any run.
    for (const [index, { runId }] of made.entries()) await reaches(index % 2 === 0 ? left : right, runId, 'succeeded');
    const effects = await toolEffects(one);
    expect(effects).toHaveLength(made.length);
    expect(new Set(effects.map(({ runId }) => runId))).toEqual(new Set(made.map(({ runId }) => runId)));
    expect(new Set(effects.map(({ pid }) => pid))).toEqual(new Set([left.process.pid, right.process.pid]));

    const held = await submit(left, { workflow: 'held', input: 1 });
    const holder = await eventually(
      'somebody has it',
      async () => (await toolEffects(one)).find(({ runId }) => runId === held.runId)?.pid,
    );
    const [dies, lives] = holder === left.process.pid ? [left, right] : [right, left];
    await holds(lives, held.runId, 'hold');
    await dies.kill();
    await allow(one, 'go');
    await reaches(lives, held.runId, 'succeeded');
    expect((await toolEffects(one)).filter(({ runId }) => runId === held.runId)).toHaveLength(1);
  },
);
