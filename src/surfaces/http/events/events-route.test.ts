import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { streamEndSchema, streamLineSchema } from '../../../contract/api/events.ts';
import { problemSchema } from '../../../contract/api/problem.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { readEvents } from '../../../domain/runs/ledger/read-events.ts';
import { removeRun } from '../../../domain/runs/retention/remove-run.ts';
import { openTestWorld, runTables, type TestProcess } from '../../../domain/runs/testing/engine.ts';
import { openLiveRun } from '../../../domain/runs/testing/live-run.ts';
import { until } from '../../../domain/runs/testing/look.ts';
import { testWorkflows, wide } from '../../../domain/runs/testing/workflows.ts';
import { systemClock } from '../../../platform/clock/clock.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import type { Store } from '../../../platform/store/store.ts';
import { ask, parseLines, parseServerSent } from './fixtures/event-client.ts';
import { openEventsServer } from './fixtures/events-server.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const engines = {
  SQLite: {},
  PostgreSQL: {
    openStore: (): Promise<Store> =>
      openPostgresStore({ connection: database.connection, migrations: runTables(), poolSize: 4 }),
  },
};
const sse = { headers: { accept: 'text/event-stream' } };
const dayMicros = 86_400_000_000;

/** The ledger's lines, read from the store without what is tested here. */
async function ledgerOf({ engine }: TestProcess, runId: RunId): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const page = await readEvents(engine.store, runId, lines.length);
    lines.push(...page.events.map(({ line }) => line));
    if (!page.more) return lines;
  }
}

async function finishedRun(process: TestProcess, steps: number): Promise<RunId> {
  const { runId, outcome } = await process.runs.start({ workflow: wide.name, input: steps, actor: 'me' });
  expect(await outcome).toMatchObject({ state: 'succeeded' });
  return parseId('run', runId);
}

function endOf(line: string | undefined) {
  return streamEndSchema.parse(JSON.parse(line ?? ''));
}

describe.each([
  ['SQLite', engines.SQLite],
  ['PostgreSQL', engines.PostgreSQL],
])('on %s', (_name, storeOptions) => {
  async function start(serverOptions: Parameters<typeof openEventsServer>[1] = {}) {
    const world = await openTestWorld({ workflows: testWorkflows, ...storeOptions });
    const process = await world.start();
    const server = await openEventsServer(process.engine.store, serverOptions);
    const events = (runId: string, query = '') => `${server.url}/v1/runs/${runId}/events${query}`;
    return {
      ...{ world, process, server, events },
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]();
        await world[Symbol.asyncDispose]();
      },
    };
  }

  test('D10 without follow since k is exactly the tail for every k, read twice the same bytes, in two parts the same as in one', async () => {
    await using here = await start();
    const runId = await finishedRun(here.process, 5);
    const ledger = await ledgerOf(here.process, runId);
    const read = async (since: number) => {
      const answer = await ask(here.events(runId, `?since=${since}`));
      expect(answer.status).toBe(200);
      return answer.ended;
    };
    const whole = await read(0);
    expect(whole).toBe(ledger.map((line) => `${line}\n`).join(''));
    for (let k = 0; k <= ledger.length; k++) {
      expect(await read(k)).toBe(
        ledger
          .slice(k)
          .map((line) => `${line}\n`)
          .join(''),
      );
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(ledger.length), async (k) => {
        const tail = await read(k);
        expect(whole.slice(0, whole.length - tail.length) + tail).toBe(whole);
        expect(await read(k)).toBe(tail);
      }),
      { numRuns: 10 },
    );
  });

  test('D10 without follow a live run is read up to its last event of that moment, and the answer ends', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    await live.say('one', 'two');
    const answer = await ask(here.events(live.runId, '?follow=false'));
    expect(parseLines(await answer.ended)).toEqual(await ledgerOf(here.process, live.runId));
  });

  test.each(['succeeded', 'failed', 'canceled'] as const)(
    'D11 a follower gets what was and what comes, and the terminal event of a run that %s last',
    async (state) => {
      await using here = await start();
      const live = await openLiveRun(here.process);
      await live.say('before');
      const answer = await ask(here.events(live.runId, '?follow=true'));
      await until(async () => parseLines(answer.text()).length === 2);
      await live.say('after');
      await until(async () => parseLines(answer.text()).length === 3);
      await live.say('more', 'and more');
      await live.finish(state);
      const lines = parseLines(await answer.ended);
      expect(lines).toEqual(await ledgerOf(here.process, live.runId));
      expect(lines).toHaveLength(6);
      expect(streamLineSchema.parse(JSON.parse(lines.at(-1) ?? ''))).toMatchObject({ type: `run.${state}`, seq: 6 });
      expect(here.server.counts()).toEqual({ followers: 0, runs: 0 });
    },
  );

  test('D11 following a finished run ends at once', async () => {
    await using here = await start();
    const runId = await finishedRun(here.process, 2);
    const ledger = await ledgerOf(here.process, runId);
    for (const since of [0, 3, ledger.length]) {
      const answer = await ask(here.events(runId, `?follow=1&since=${since}`));
      expect(parseLines(await answer.ended)).toEqual(ledger.slice(since));
    }
  });

  test('D13 an unknown run is 404 and a since that is none 400 with its path, before anything is streamed', async () => {
    await using here = await start();
    const { runId } = await openLiveRun(here.process);
    const refused = async (url: string, headers: Record<string, string> = {}) => {
      const answer = await ask(url, { headers });
      expect(answer.headers['content-type']).toContain('application/problem+json');
      const { status, code, issues } = problemSchema.parse(JSON.parse(await answer.ended));
      expect(answer.status).toBe(status);
      return { status, code, paths: [...new Set(issues.map(({ path }) => path))] };
    };
    for (const follow of ['true', 'false']) {
      expect(await refused(here.events('run-20260101-000000-00000000', `?follow=${follow}`))).toMatchObject({
        status: 404,
        code: 'run_not_found',
      });
    }
    for (const since of ['-1', 'abc', '', '1.5', '1e3', '0x10', '%201', '9007199254740992', '1&since=2']) {
      expect(await refused(here.events(runId, `?since=${since}`))).toMatchObject({
        status: 400,
        paths: ['query.since'],
      });
    }
    for (const timeout of ['0', '-5', 'soon', '', '86400001']) {
      expect(await refused(here.events(runId, `?follow=true&timeoutMs=${timeout}`))).toMatchObject({
        status: 400,
        paths: ['query.timeoutMs'],
      });
    }
    expect(await refused(here.events(runId, '?follow=maybe'))).toMatchObject({ status: 400, paths: ['query.follow'] });
    expect(await refused(here.events(runId, '?sinse=1'))).toMatchObject({ status: 400, paths: ['query.sinse'] });
    expect(await refused(here.events('nonsense'))).toMatchObject({ status: 400, paths: ['params.runId'] });
    expect(await refused(here.events(runId), { 'last-event-id': '-3' })).toMatchObject({
      status: 400,
      paths: ['headers.last-event-id'],
    });
    expect(await refused(here.events(runId), { accept: 'image/png' })).toMatchObject({
      status: 406,
      code: 'not_acceptable',
    });
    expect(here.server.counts()).toEqual({ followers: 0, runs: 0 });
  });

  test('D13 a since beyond the end gives nothing of what is there, and of a live run what comes after it', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    const read = await ask(here.events(live.runId, '?since=1000'));
    expect(await read.ended).toBe('');
    const answer = await ask(here.events(live.runId, '?since=3&follow=true'));
    const far = await ask(here.events(live.runId, '?since=1000&follow=true'));
    await live.say('two', 'three');
    await live.say('four');
    await live.finish();
    expect(parseLines(await answer.ended)).toEqual((await ledgerOf(here.process, live.runId)).slice(3));
    expect(await far.ended).toBe('');
    const finished = await ask(here.events(live.runId, '?since=1000&follow=true'));
    expect(await finished.ended).toBe('');
  });

  test('D14 a client that goes away frees everything at once, with others of the same run left alone', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    const stays = await ask(here.events(live.runId, '?follow=true'));
    const leaves = await Promise.all(Array.from({ length: 20 }, () => ask(here.events(live.runId, '?follow=true'))));
    await until(async () => leaves.every((each) => each.text() !== ''));
    expect(here.server.counts()).toEqual({ followers: 21, runs: 1 });
    expect(here.server.measurements.streams).toBe(21);
    for (const { request } of leaves) request.destroy();
    await until(async () => here.server.counts().followers === 1);
    expect(here.server.measurements.streams).toBe(1);
    await live.finish();
    expect(parseLines(await stays.ended)).toHaveLength(2);
    const last = await ask(here.events((await openLiveRun(here.process)).runId, '?follow=true'));
    last.request.destroy();
    await until(async () => here.server.counts().runs === 0);
    expect(here.server.measurements.streams).toBe(0);
  });

  test('D14 a client that comes back with Last-Event-ID misses and repeats nothing, over a restart of the server in mid-run', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    const seen: number[] = [];
    const collect = (text: string) => seen.push(...parseServerSent(text).map(({ id }) => Number(id)));
    let saying = true;
    const talk = (async () => {
      while (saying) await live.say('a', 'b');
      await live.finish();
    })();
    let restarts = 0;
    const second = await here.world.start();
    for (const store of [here.process.engine.store, second.engine.store, here.process.engine.store]) {
      const server = await openEventsServer(store);
      const url = `${server.url}/v1/runs/${live.runId}/events?follow=true&since=0`;
      const back = seen.length === 0 ? {} : { 'last-event-id': String(seen.at(-1)) };
      const answer = await ask(url, { headers: { accept: 'text/event-stream', ...back } });
      await until(async () => parseServerSent(answer.text()).length > 20);
      // Cut in the middle of whatever is being sent: what is not whole does not count.
      await server.kill();
      await answer.ended.catch(() => {});
      collect(answer.text().slice(0, answer.text().lastIndexOf('\n\n') + 2));
      restarts++;
    }
    saying = false;
    await talk;
    const rest = await ask(here.events(live.runId, '?follow=true'), {
      headers: { accept: 'text/event-stream', 'last-event-id': String(seen.at(-1)) },
    });
    collect(await rest.ended);
    expect(restarts).toBe(3);
    expect(seen).toEqual(Array.from({ length: live.head }, (_, index) => index + 1));
  });

  test('D15 server-sent events and NDJSON carry the same lines, of the past and live', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    await live.say('grüße \u{1f30d}', 'two\nlines', 'a "quoted" \u2028 text');
    const plain = await ask(here.events(live.runId, '?follow=true'), { headers: { accept: 'application/x-ndjson' } });
    const sent = await ask(here.events(live.runId, '?follow=true'), sse);
    expect(plain.headers['content-type']).toBe('application/x-ndjson');
    expect(sent.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    await until(async () => parseServerSent(sent.text()).length === 4);
    for (const text of ['live', 'and more']) await live.say(text);
    await live.finish();
    const events = parseServerSent(await sent.ended);
    expect(events.map(({ data }) => data)).toEqual(parseLines(await plain.ended));
    expect(events.map(({ data }) => data)).toEqual(await ledgerOf(here.process, live.runId));
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => String(index + 1)));
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['message']));
    expect(sent.text()).toMatch(/^retry: \d+\n\n/);
  });

  test('a browser that comes back to a finished run with its last event is told by 204 to stay away', async () => {
    await using here = await start();
    const runId = await finishedRun(here.process, 2);
    const { length } = await ledgerOf(here.process, runId);
    const asked = async (id: number, headers: Record<string, string>) =>
      (await ask(here.events(runId, '?follow=true'), { headers: { 'last-event-id': String(id), ...headers } })).status;
    expect(await asked(length, sse.headers)).toBe(204);
    expect(await asked(length + 1, sse.headers)).toBe(204);
    expect(await asked(length - 1, sse.headers)).toBe(200);
    expect(await asked(length, {})).toBe(200);
    const live = await openLiveRun(here.process);
    const answer = await ask(here.events(live.runId, '?follow=true'), {
      headers: { ...sse.headers, 'last-event-id': String(live.head) },
    });
    expect(answer.status).toBe(200);
    await until(async () => here.server.counts().followers === 1);
  });

  test('Last-Event-ID wins over since', async () => {
    await using here = await start();
    const runId = await finishedRun(here.process, 2);
    const answer = await ask(here.events(runId, '?since=1'), { headers: { 'last-event-id': '4' } });
    expect(parseLines(await answer.ended)).toEqual((await ledgerOf(here.process, runId)).slice(4));
  });

  test('D26 a follow ends at its deadline, says so and gives the cursor, in both forms', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    await live.say('one', 'two');
    const [plain, sent] = await Promise.all([
      ask(here.events(live.runId, '?follow=true&timeoutMs=150')),
      ask(here.events(live.runId, '?follow=true&timeoutMs=150&since=2'), sse),
    ]);
    const lines = parseLines(await plain.ended);
    expect(lines).toHaveLength(4);
    expect(endOf(lines.at(-1))).toMatchObject({ why: 'deadline', cursor: 3, runId: live.runId, code: null });
    const events = parseServerSent(await sent.ended);
    expect(events.map(({ type }) => type)).toEqual(['message', 'end']);
    expect(endOf(events.at(-1)?.data)).toMatchObject({ why: 'deadline', cursor: 3 });
    expect(here.server.counts()).toEqual({ followers: 0, runs: 0 });
  });

  test('D26 a server that drains ends its followers with the cursor, and those that come later too', async () => {
    await using here = await start();
    const live = await openLiveRun(here.process);
    const answer = await ask(here.events(live.runId, '?follow=true'));
    await until(async () => parseLines(answer.text()).length === 1);
    here.server.drain();
    expect(endOf(parseLines(await answer.ended).at(-1))).toMatchObject({ why: 'drain', cursor: 1 });
    const late = await ask(here.events(live.runId, '?follow=true&since=7'));
    expect(parseLines(await late.ended).map(endOf)).toMatchObject([{ why: 'drain', cursor: 7 }]);
    expect(here.server.counts()).toEqual({ followers: 0, runs: 0 });
  });

  test('D26 a follower of a run that retention removed is told the gap and what was the last event', async () => {
    const clock = { now: () => systemClock.now() - 2 * dayMicros };
    await using world = await openTestWorld({ clock, ...storeOptions });
    const process = await world.start();
    await using server = await openEventsServer(process.engine.store);
    const live = await openLiveRun(process);
    // More than the socket takes, so that the reader is still in the middle when the rest is removed.
    const text = 'x'.repeat(50_000);
    for (let count = 0; count < 20; count++) await live.say(...Array.from({ length: 20 }, () => text));
    await live.finish();
    const url = `${server.url}/v1/runs/${live.runId}/events`;
    const slow = await ask(`${url}?follow=true`, { read: false });
    await until(async () => server.counts().followers === 1 && server.buffered() > 0);
    const row = await process.engine.store.read((tx) =>
      tx.db.selectFrom('run').selectAll().where('id', '=', live.runId).executeTakeFirstOrThrow(),
    );
    const finished = {
      run: live.runId,
      state: 'succeeded',
      finishedAt: Number(row.finished_at),
      lastSeq: Number(row.head_seq),
      lastDigest: row.head_digest,
    } as const;
    await removeRun(process.engine.store, finished, { reason: 'age', actor: 'test', now: systemClock.now() });
    slow.response.setEncoding('utf8');
    let got = '';
    for await (const chunk of slow.response) got += chunk;
    const lines = parseLines(got);
    const end = endOf(lines.at(-1));
    expect(end).toMatchObject({ why: 'gap', lastRemoved: live.head, cursor: lines.length - 1 });
    expect(lines.length).toBeLessThan(live.head);
    const later = await ask(`${url}?follow=true&since=5`);
    expect(parseLines(await later.ended).map(endOf)).toMatchObject([{ why: 'gap', cursor: 5, lastRemoved: live.head }]);
    // Whoever has its terminal event misses nothing.
    const all = await ask(`${url}?follow=true&since=${live.head}`);
    expect(await all.ended).toBe('');
    const read = await ask(url);
    expect(read.status).toBe(410);
    expect(problemSchema.parse(JSON.parse(await read.ended))).toMatchObject({ code: 'run_removed' });
    expect(server.counts()).toEqual({ followers: 0, runs: 0 });
  });

  test('D26 a store that fails in the middle of a stream is named at its end, with a code and the cursor', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const { store } = process.engine;
    let broken = false;
    const failing: Store = {
      ...store,
      engine: store.engine,
      hints: store.hints,
      select: async (sql, values) => {
        if (broken) throw Object.assign(new Error('disk on fire'), { name: 'TestError' });
        return store.select(sql, values);
      },
    };
    await using server = await openEventsServer(failing);
    const live = await openLiveRun(process);
    const answers = await Promise.all([1, 2].map(() => ask(`${server.url}/v1/runs/${live.runId}/events?follow=true`)));
    await until(async () => answers.every((each) => parseLines(each.text()).length === 1));
    broken = true;
    await live.say('never seen');
    for (const answer of answers) {
      const end = endOf(parseLines(await answer.ended).at(-1));
      expect(end).toMatchObject({ why: 'error', cursor: 1, code: 'internal' });
      expect(end.message).not.toContain('disk');
    }
    expect(server.failures.length).toBeGreaterThan(0);
    expect(server.counts()).toEqual({ followers: 0, runs: 0 });
    broken = false;
    const again = await ask(`${server.url}/v1/runs/${live.runId}/events?since=1`);
    expect(parseLines(await again.ended)).toHaveLength(1);
  });
});
