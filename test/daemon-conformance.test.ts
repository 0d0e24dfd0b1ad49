import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  requestAnswerSchema,
  runAnswerSchema,
  runDetailSchema,
  runListSchema,
  stepListSchema,
} from '../src/contract/api/runs.ts';
import { terminalEventTypes } from '../src/contract/evidence.ts';
import { openAgedWorld } from '../src/domain/runs/testing/aged-runs.ts';
import { openStore } from '../src/main/open-store.ts';
import { comparable } from './support/comparable.ts';
import { type Answer, type Asked, type Daemon, startDaemon } from './support/daemon.ts';
import { type DaemonStore, engines, openDaemonStore, type StoreEngine, storeSettings } from './support/daemon-store.ts';
import { effectTools } from './support/effect-tools.ts';
import { eventually } from './support/eventually.ts';
import { linesOf, makeWorkspace, type TestWorkspace } from './support/workspace.ts';

// The same story told to a daemon on SQLite and to one on PostgreSQL. What a story returns, every answer as it came,
// must be equal byte by byte once ids and times have names; what must hold on any store is asserted inside.
vi.setConfig({ testTimeout: 120_000 });
const configuration = `import { defineConfig, defineWorkflow } from 'waybill';
const steps = defineWorkflow('steps', { snapshot: 'none' }, async (run, count) => {
  for (let index = 0; index < count; index += 1) await run.step('one', { index }, () => index * index);
  return count;
});
const gate = defineWorkflow('gate', { snapshot: 'none' }, async (run) => {
  const { approved, comment } = await run.approval('ship', { prompt: 'Ship it?' });
  return { approved, comment };
});
const hold = defineWorkflow('hold', { snapshot: 'none' }, async (run, file) => {
  await run.exec(['sh', '-c', 'while [ ! -e "$0" ]; do sleep 0.05; done', '../outside/' + file], { name: 'hold' });
  return 'let go';
});
export default defineConfig({
  workflows: [steps, gate, hold],
  evidence: 'on-demand',
  daemon: { concurrency: 4, maxQueue: 5 },
  retention: { runDays: Number(process.env.TEST_RUN_DAYS ?? 36500) },
  ${storeSettings},
});
`;

interface Place {
  readonly store: DaemonStore;
  readonly workspace: TestWorkspace;
  daemon: Daemon;
}
let places: Place[] = [];

async function open(engine: StoreEngine): Promise<Place> {
  const store = await openDaemonStore(engine);
  const workspace = await makeWorkspace({ configuration, files: effectTools, env: store.env });
  return { store, workspace, daemon: await startDaemon(workspace) };
}
beforeAll(async () => {
  places = await Promise.all(engines.map(open));
});
afterAll(async () => {
  for (const { workspace, store } of places) {
    await workspace[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  }
});

/** Tells both daemons the same story, and holds what they answered against each other. */
async function both(story: (place: Place) => Promise<unknown>): Promise<void> {
  const [sqlite = '', postgres = ''] = await Promise.all(
    places.map(async (place) => comparable(await story(place), place.workspace.root)),
  );
  expect(sqlite.length).toBeGreaterThan(100);
  expect(postgres).toBe(sqlite);
}

/** What of an answer must be equal. */
const kept = ({ status, headers, text }: Answer) => ({
  status,
  type: headers.get('content-type'),
  replayed: headers.get('idempotency-replayed'),
  text,
});

async function ask({ daemon }: Place, method: string, path: string, asked: Asked = {}) {
  return kept(await daemon.ask(method, path, asked));
}

async function submit(place: Place, body: object, key?: string) {
  const headers = key === undefined ? {} : { 'idempotency-key': key };
  const answer = await place.daemon.ask('POST', '/v1/runs', { body, headers });
  const parsed = runAnswerSchema.safeParse(answer.body);
  return { ...kept(answer), runId: parsed.success ? parsed.data.runId : '' };
}

/** Submits and waits for the end. */
async function done(place: Place, body: object): Promise<string> {
  const { runId } = await submit(place, body);
  await place.daemon.ask('GET', `/v1/runs/${runId}?waitMs=60000`);
  return runId;
}

async function reaches({ daemon }: Place, runId: string, state: string): Promise<void> {
  await eventually(`${runId} is ${state}`, async () => {
    const { body } = await daemon.ask('GET', `/v1/runs/${runId}`);
    return runDetailSchema.parse(body).state === state ? true : undefined;
  });
}

/** Bytes, not JSON. */
async function events({ daemon }: Place, runId: string, query = '', accept = 'application/x-ndjson') {
  const response = await fetch(`${daemon.url}/v1/runs/${runId}/events${query}`, {
    headers: { authorization: `Bearer ${daemon.token}`, accept },
  });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

/** All that can be read of a run; of a finished one its stream too, which would not end otherwise. */
const whole = (place: Place, runId: string, finished = true) =>
  Promise.all([
    ask(place, 'GET', `/v1/runs/${runId}`),
    ask(place, 'GET', `/v1/runs/${runId}/steps`),
    ask(place, 'GET', `/v1/runs/${runId}/receipts/1`),
    events(place, runId),
    events(place, runId, `?follow=${finished}`, 'text/event-stream'),
  ]);

test('D21 submit: a run of each kind, and all that can be read of it', () =>
  both(async (place) => {
    const made = [
      await submit(place, { tool: 'count', input: { n: 4 } }),
      await submit(place, { tool: 'refuse', input: { n: 4 } }),
      await submit(place, { workflow: 'steps', input: 3 }),
    ];
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201]);
    const told = [];
    for (const [index, state] of ['succeeded', 'failed', 'succeeded'].entries()) {
      const runId = made[index]?.runId ?? '';
      await reaches(place, runId, state);
      told.push(await whole(place, runId));
    }
    return told;
  }));

test('D21 replay and conflict: the same key with the same request, in any order of members, and with another one', () =>
  both(async (place) => {
    const first = await submit(place, { tool: 'count', input: { n: 1, ms: 1 } }, 'key');
    await reaches(place, first.runId, 'succeeded');
    const again = await submit(place, { input: { ms: 1, n: 1 }, tool: 'count' }, 'key');
    const other = await submit(place, { tool: 'count', input: { n: 2, ms: 1 } }, 'key');
    expect([again.status, again.replayed, again.runId]).toEqual([200, 'true', first.runId]);
    expect([other.status, other.text]).toEqual([409, expect.stringContaining('idempotency_key_reused')]);
    return [again, other];
  }));

test('D21 unknown ids and bad requests are refused alike, and make no run', () =>
  both(async (place) => {
    const count = async () => (await place.store.rows(place.workspace, 'SELECT id FROM run')).length;
    const before = await count();
    const unknown = '/v1/runs/run-20260101-000000-00000000';
    const refused = [
      ...(await Promise.all(
        ['', '/steps', '/receipts/1', '/events', '/events?follow=true'].map((rest) =>
          ask(place, 'GET', `${unknown}${rest}`),
        ),
      )),
      await ask(place, 'POST', `${unknown}/cancel`),
      await ask(place, 'POST', `${unknown}/pause`),
      await ask(place, 'POST', `${unknown}/resume`, { body: {} }),
      await ask(place, 'POST', `${unknown}/approvals/ship`, { body: { approved: true } }),
      await ask(place, 'POST', `${unknown}/signals/go`, { body: {} }),
      await submit(place, { tool: 'nowhere', input: {} }),
      await submit(place, { workflow: 'nowhere', input: {} }),
      await ask(place, 'GET', '/v1/tools/nowhere'),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 404));
    const bad = [
      await submit(place, { tool: 'count', input: { n: 'four' } }),
      await submit(place, { tool: 'count', workflow: 'steps', input: { n: 4 } }),
      await submit(place, {}),
      await ask(place, 'POST', '/v1/runs', { body: '{"tool": ' }),
      await ask(place, 'GET', '/v1/runs/no-run'),
      await ask(place, 'GET', '/v1/runs?limit=0'),
      await ask(place, 'GET', '/v1/runs?cursor=nonsense'),
    ];
    expect(bad.map(({ status }) => status)).toEqual(bad.map(() => 400));
    expect(await count()).toBe(before);
    return [refused, bad];
  }));

test('D21 transitions: what a finished or a waiting run refuses, and that it changes nothing', () =>
  both(async (place) => {
    const finished = await done(place, { workflow: 'steps', input: 1 });
    const before = await events(place, finished);
    const { runId: waiting } = await submit(place, { workflow: 'gate' });
    await reaches(place, waiting, 'waiting');
    const told = [
      await ask(place, 'POST', `/v1/runs/${finished}/resume`, { body: {} }),
      await ask(place, 'POST', `/v1/runs/${finished}/resume`, { body: { retryFailed: { reason: 'why not' } } }),
      await ask(place, 'POST', `/v1/runs/${finished}/approvals/ship`, { body: { approved: true } }),
      await ask(place, 'POST', `/v1/runs/${finished}/pause`),
      await ask(place, 'POST', `/v1/runs/${finished}/cancel`),
      await ask(place, 'POST', `/v1/runs/${waiting}/approvals/another`, { body: { approved: true } }),
    ];
    const denied = { body: { approved: false, comment: 'not yet' } };
    const answered = await place.daemon.ask('POST', `/v1/runs/${waiting}/approvals/ship`, denied);
    // Not its state: a worker may have gone on already.
    expect(requestAnswerSchema.parse(answered.body)).toMatchObject({ outcome: 'done', run: { runId: waiting } });
    expect(await events(place, finished)).toEqual(before);
    await reaches(place, waiting, 'succeeded');
    told.push(
      await ask(place, 'POST', `/v1/runs/${waiting}/approvals/ship`, { body: { approved: true } }),
      await ask(place, 'GET', `/v1/runs/${waiting}`),
    );
    const { runId: queued } = await submit(place, { workflow: 'gate' });
    await reaches(place, queued, 'waiting');
    told.push(await ask(place, 'POST', `/v1/runs/${queued}/cancel`, { body: { comment: 'no more' } }));
    await reaches(place, queued, 'canceled');
    return [told, await events(place, queued)];
  }));

test('D21 append and cursor: every tail, both formats, and cursors that are wrong', () =>
  both(async (place) => {
    const runId = await done(place, { workflow: 'steps', input: 4 });
    const all = await events(place, runId);
    const lines = linesOf(all.text);
    const seqs = lines.map((line) => z.object({ seq: z.int() }).parse(JSON.parse(line)).seq);
    expect(seqs).toEqual(lines.map((_, index) => index + 1));
    for (let since = 0; since <= lines.length; since += 1) {
      for (const follow of [true, false]) {
        const tail = await events(place, runId, `?since=${since}&follow=${follow}`);
        expect(linesOf(tail.text)).toEqual(lines.slice(since));
      }
    }
    const last = z.object({ type: z.enum(terminalEventTypes) });
    last.parse(JSON.parse(lines.at(-1) ?? ''));
    const odd = [`${lines.length + 1}`, '1000000', '-1', 'three', '1.5', '', '9007199254740993'];
    const told = [];
    for (const since of odd) {
      told.push(
        await events(place, runId, `?since=${since}`),
        await events(place, runId, `?since=${since}&follow=true`),
      );
    }
    return [all, await events(place, runId, '?since=2', 'text/event-stream'), told];
  }));

test('D21 pages: runs and steps by cursor, each once, in the same order', () =>
  both(async (place) => {
    const made = [];
    for (let index = 0; index < 5; index += 1) made.push(await done(place, { workflow: 'steps', input: 5 }));
    const told = [];
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null && found.length < made.length; ) {
      const page = await place.daemon.ask(
        'GET',
        `/v1/runs?limit=2&workflow=steps${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      const { runs, nextCursor } = runListSchema.parse(page.body);
      found.push(...runs.map(({ runId }) => runId));
      cursor = nextCursor === null ? null : encodeURIComponent(nextCursor);
    }
    expect(found.slice(0, made.length)).toEqual(made.toReversed());
    const steps: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await place.daemon.ask(
        'GET',
        `/v1/runs/${made[0]}/steps?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      told.push(kept(page));
      const { steps: some, nextCursor } = stepListSchema.parse(page.body);
      steps.push(...some.map(({ number }) => String(number)));
      cursor = nextCursor === null ? null : encodeURIComponent(nextCursor);
    }
    expect(steps).toEqual(['1', '2', '3', '4', '5']);
    return told;
  }));

test('D21 a full queue answers 429 and when to come again, and takes work as soon as there is room', () =>
  both(async (place) => {
    const held = [];
    for (let index = 0; index < 9; index += 1) {
      const made = await submit(place, { workflow: 'hold', input: 'full' });
      // The first four get a place at once, the other five may wait for one.
      if (index < 4) await reaches(place, made.runId, 'running');
      held.push(made);
    }
    const full = await place.daemon.ask('POST', '/v1/runs', { body: { workflow: 'hold', input: 'full' } });
    expect(held.map(({ status }) => status)).toEqual(held.map(() => 201));
    expect(full).toMatchObject({ status: 429, body: { code: 'queue_full' } });
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
    await place.workspace.write('../outside/full', '');
    for (const { runId } of held) await reaches(place, runId, 'succeeded');
    expect((await submit(place, { workflow: 'hold', input: 'full' })).status).toBe(201);
    return [kept(full)];
  }));

test('D21 lease: a run another process holds is not taken from it, and goes on when that process is dead', () =>
  both(async (place) => {
    const runner = place.workspace.start(['run', '--workflow', 'hold', '--input', '"lease"', '--json']);
    const first = await runner.line((line) => line.includes('"type":"process.started"'));
    const { runId } = z.object({ runId: z.string() }).parse(JSON.parse(first));
    const refused = await ask(place, 'POST', `/v1/runs/${runId}/resume`, { body: {} });
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('lease_held')]);
    runner.kill('SIGKILL');
    await runner.finished;
    await place.workspace.write('../outside/lease', '');
    const taken = await ask(place, 'POST', `/v1/runs/${runId}/resume`, { body: {} });
    expect(taken.status).toBe(200);
    await reaches(place, runId, 'succeeded');
    return [refused.status, await ask(place, 'GET', `/v1/runs/${runId}/steps`)];
  }));

test('D21 retention: what is past its time is gone with a word that it was there, and follows end with a gap', () =>
  both(async (place) => {
    const openStore = () => openBeside(place);
    await using aged = await openAgedWorld({ openStore });
    const old = await aged.run(40, 'fail');
    const fresh = await aged.run(20);
    const before = await events(place, old);
    expect(linesOf(before.text).length).toBeGreaterThan(3);
    const { code, stderr } = await place.workspace.waybill(['retention', 'run'], { TEST_RUN_DAYS: '30' });
    expect(code, stderr).toBe(0);
    const told = [
      await ask(place, 'GET', `/v1/runs/${old}`),
      await events(place, old, '?since=1'),
      await events(place, old, '?since=1&follow=true'),
      await ask(place, 'POST', `/v1/runs/${old}/cancel`),
    ];
    expect(told.map(({ status }) => status)).toEqual([410, 410, 200, 410]);
    expect(told[2]?.text).toContain('"why":"gap"');
    expect((await events(place, fresh)).status).toBe(200);
    return told;
  }));

test('D21 restart: what was answered before a crash is answered after it, byte for byte', () =>
  both(async (place) => {
    const runId = await done(place, { workflow: 'steps', input: 2 });
    const { runId: waiting } = await submit(place, { workflow: 'gate' });
    await reaches(place, waiting, 'waiting');
    const list = '/v1/runs?limit=3';
    const before = [await whole(place, runId), await whole(place, waiting, false), await ask(place, 'GET', list)];
    await place.daemon.kill();
    place.daemon = await startDaemon(place.workspace);
    const after = [await whole(place, runId), await whole(place, waiting, false), await ask(place, 'GET', list)];
    const { root } = place.workspace;
    expect(comparable(after, root)).toBe(comparable(before, root));
    expect((await ask(place, 'POST', `/v1/runs/${waiting}/approvals/ship`, { body: { approved: true } })).status).toBe(
      200,
    );
    await reaches(place, waiting, 'succeeded');
    return [await whole(place, runId), await events(place, waiting)];
  }));

function openBeside({ store, workspace }: Place) {
  const address = store.env.TEST_STORE;
  return openStore(
    { root: workspace.root, configurationPath: null },
    {
      store:
        address === undefined ? { engine: 'sqlite' } : { engine: 'postgres', url: address, role: 'waybill_program' },
    },
  );
}
