import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { parseId } from '../../../contract/ids.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import { requestRun } from '../requests.ts';
import { openTestWorld, runTables, type TestProcess } from '../testing/engine.ts';
import { approving, testWorkflows, wide } from '../testing/workflows.ts';
import { eventDigest } from './event-body.ts';
import { followEvents } from './follow-events.ts';
import type { FollowEnd, FollowOptions } from './follower.ts';
import { parseEvent, readEvents, type StoredEvent } from './read-events.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const engines = {
  SQLite: () => openTestWorld({ workflows: testWorkflows }),
  PostgreSQL: () =>
    openTestWorld({
      workflows: testWorkflows,
      openStore: () => openPostgresStore({ connection: database.connection, migrations: runTables(), poolSize: 4 }),
    }),
};

/** Everything a follower gives, and how it ended. */
async function gather(
  process: TestProcess,
  runId: string,
  options: FollowOptions,
): Promise<{ events: StoredEvent[]; end: FollowEnd }> {
  const events: StoredEvent[] = [];
  const following = followEvents(process.engine.store, parseId('run', runId), options);
  for (;;) {
    const next = await following.next();
    if (next.done === true) return { events, end: next.value };
    events.push(next.value);
  }
}

async function finishedRun(process: TestProcess, steps: number) {
  const { runId, outcome } = await process.runs.start({ workflow: wide.name, input: steps, actor: 'me' });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
  return runId;
}

describe.each(
  Object.keys(engines).map((name) => [name, name === 'SQLite' ? engines.SQLite : engines.PostgreSQL] as const),
)('on %s', (_name, open) => {
  test('R7 16 concurrent steps of one run give seq 1 to n without gaps, each event with the digest of the one before', async () => {
    await using world = await open();
    const process = await world.start();
    const runId = await finishedRun(process, 16);
    const { events, end } = await gather(process, runId, { since: 0 });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.length).toBeGreaterThan(2 * 16);
    expect(end).toEqual({ why: 'terminal', cursor: events.length });
    let previous = events[0]?.previous ?? '';
    for (const event of events) {
      expect(event.previous).toBe(previous);
      expect(eventDigest(parseId('digest', previous), event.body)).toBe(event.digest);
      expect(parseEvent(event)).toMatchObject({ seq: event.seq, type: event.type, previous, digest: event.digest });
      previous = event.digest;
    }
  });

  test('R7 events since k are exactly the tail, and two reads make one, for every k and page size', async () => {
    await using world = await open();
    const process = await world.start();
    const runId = parseId('run', await finishedRun(process, 5));
    const { store } = process.engine;
    const whole = (await readEvents(store, runId, 0)).events;
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length + 3), fc.integer({ min: 1, max: whole.length + 2 }), async (k, limit) => {
        const page = await readEvents(store, runId, k, limit);
        expect(page.events).toEqual(whole.slice(k, k + limit));
        expect(page.more).toBe(k + limit < whole.length);
        const { events, end } = await gather(process, runId, { since: k });
        expect(events).toEqual(whole.slice(k));
        expect(end).toEqual({ why: 'terminal', cursor: Math.max(k, whole.length) });
      }),
      { numRuns: 30 },
    );
  });

  test('R8 the terminal event is the last thing a follower sees of a run it watches from the start', async () => {
    await using world = await open();
    const [worker, reader] = [await world.start(), await world.start()];
    const { runId, outcome } = await worker.runs.start({ workflow: wide.name, input: 12, actor: 'me' });
    const live = gather(reader, runId, { since: 0, timeoutMs: 20_000 });
    await outcome;
    const { events, end } = await live;
    expect(end).toEqual({ why: 'terminal', cursor: events.length });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)?.type).toBe('run.succeeded');
    expect(events).toEqual((await gather(worker, runId, { since: 0 })).events);
  });

  test('R42 a follower in another process sees a waiting run wait, go on and end, without a gap between two follows', async () => {
    await using world = await open();
    const [worker, reader] = [await world.start(), await world.start()];
    const { runId, outcome } = await worker.runs.start({ workflow: approving.name, input: null, actor: 'me' });
    const first = await gather(reader, runId, { since: 0, until: 'waiting', timeoutMs: 20_000 });
    expect(first.end.why).toBe('waiting');
    expect(await outcome).toMatchObject({ kind: 'waiting' });
    const rest = gather(reader, runId, { since: first.end.cursor, timeoutMs: 20_000 });
    const request = { kind: 'approve', step: 'ship', comment: null } as const;
    await requestRun(worker.engine, parseId('run', runId), request, { actor: 'you' });
    const resumed = await worker.runs.resume(parseId('run', runId), { actor: 'me' });
    await resumed.outcome;
    const second = await rest;
    expect(second.end.why).toBe('terminal');
    const all = [...first.events, ...second.events];
    expect(all).toEqual((await gather(worker, runId, { since: 0 })).events);
  });

  test('a follower of a run that does nothing ends at its deadline or when it is aborted, and says where it is', async () => {
    await using world = await open();
    const process = await world.start();
    const { runId, outcome } = await process.runs.start({ workflow: approving.name, input: null, actor: 'me' });
    await outcome;
    const late = await gather(process, runId, { since: 2, timeoutMs: 30 });
    expect(late.end).toEqual({ why: 'deadline', cursor: late.events.at(-1)?.seq });
    const beyond = await gather(process, runId, { since: 1_000, timeoutMs: 30 });
    expect(beyond).toEqual({ events: [], end: { why: 'deadline', cursor: 1_000 } });
    const abort = new AbortController();
    const following = gather(process, runId, { since: 0, signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    expect((await following).end.why).toBe('aborted');
  });

  test('an unknown run and a cursor that is none are typed errors', async () => {
    await using world = await open();
    const { engine } = await world.start();
    const unknown = parseId('run', 'run-20260101-000000-00000000');
    await expect(readEvents(engine.store, unknown, 0)).rejects.toMatchObject({ code: 'run_not_found' });
    await expect(followEvents(engine.store, unknown, { since: 0 }).next()).rejects.toMatchObject({
      code: 'run_not_found',
    });
    for (const since of [-1, Number.NaN, 0.5, 2 ** 60]) {
      await expect(readEvents(engine.store, unknown, since)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    await expect(readEvents(engine.store, unknown, 0, 0)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(readEvents(engine.store, unknown, 0, 501)).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
