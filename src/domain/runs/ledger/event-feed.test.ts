import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type TestDatabase, testDatabase } from '../../../../test/postgres/test-database.ts';
import { openPostgresStore } from '../../../platform/store/postgres/open.ts';
import type { Store } from '../../../platform/store/store.ts';
import { openTestWorld, runTables } from '../testing/engine.ts';
import { openLiveRun } from '../testing/live-run.ts';
import { until } from '../testing/look.ts';
import { EventFeed } from './event-feed.ts';
import type { FollowEnd, Follower } from './follower.ts';

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

/** A store that counts what its readers ask, and whose waits for a hint end when the test says so. */
function watched(store: Store) {
  const counts = { looks: 0, pages: 0, waits: 0 };
  const quiet = { reads: 0 };
  const waiting = new Set<() => void>();
  const watchedStore: Store = {
    ...store,
    engine: store.engine,
    select: async (sql, values) => {
      if (sql.sqlite.includes('json_each')) quiet.reads++;
      else counts[sql.sqlite.includes('run_event') ? 'pages' : 'looks']++;
      return store.select(sql, values);
    },
    hints: {
      announce: (topic) => store.hints.announce(topic),
      subscribe: () => ({
        next: () => {
          counts.waits++;
          return new Promise<boolean>((resolve) => {
            const end = () => {
              waiting.delete(end);
              resolve(false);
            };
            waiting.add(end);
          });
        },
        [Symbol.dispose]: () => {
          for (const end of waiting) end();
        },
      }),
    },
  };
  const timeout = () => {
    for (const end of [...waiting]) end();
  };
  return { store: watchedStore, counts, quiet, timeout, waiting };
}

/** Reads to the end, and says how many pages it took. */
async function drink(follower: Follower, pause?: (seen: number) => Promise<void>) {
  const seqs: number[] = [];
  for (;;) {
    const { page, end } = await follower.next();
    if (end !== undefined) return { seqs, end } satisfies { seqs: number[]; end: FollowEnd };
    seqs.push(...page.events.map(({ seq }) => seq));
    await pause?.(seqs.length);
  }
}

describe.each([
  ['SQLite', engines.SQLite],
  ['PostgreSQL', engines.PostgreSQL],
])('on %s', (_name, storeOptions) => {
  test('D12 a hundred followers of one run cost one wait, one look and one read of the store', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const live = await openLiveRun(process);
    const { store, counts, timeout, waiting } = watched(process.engine.store);
    const feed = new EventFeed(store);
    const followers = await Promise.all(Array.from({ length: 100 }, () => feed.follow(live.runId, { since: 0 })));
    expect(feed.counts).toEqual({ followers: 100, runs: 1 });
    const pages = await Promise.all(followers.map((follower) => follower.next()));
    // One and the same object: what is encoded from it is encoded once.
    expect(new Set(pages.map(({ page }) => page)).size).toBe(1);
    expect(counts.pages).toBe(1);
    expect(counts.looks).toBeLessThanOrEqual(3);
    const next = Promise.all(followers.map((follower) => follower.next()));
    await until(async () => waiting.size === 1);
    expect(counts.waits).toBe(1);
    // No hint came; looking again with nothing new costs one look, and wakes nobody.
    const before = { ...counts };
    timeout();
    await until(async () => counts.waits === 2);
    expect(counts).toEqual({ ...before, waits: 2, looks: before.looks + 1 });
    await live.say('news');
    timeout();
    expect(new Set((await next).map(({ page }) => page)).size).toBe(1);
    expect(counts.pages).toBe(2);
    for (const follower of followers) follower[Symbol.dispose]();
    expect(feed.counts).toEqual({ followers: 0, runs: 0 });
    expect(waiting.size).toBe(0);
  });

  test('D12 three hundred quiet runs cost one read of the store a second, and what no hint told is found by it', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const lives = await Promise.all(Array.from({ length: 300 }, () => openLiveRun(process)));
    const { store, counts, quiet } = watched(process.engine.store);
    const feed = new EventFeed(store);
    const followers = await Promise.all(lives.map(({ runId }) => feed.follow(runId, { since: 1 })));
    const looks = counts.looks;
    const next = followers.map((follower) => follower.next());
    await until(async () => quiet.reads === 3);
    expect(counts).toMatchObject({ looks, pages: 0 });
    // No hint reaches a feed of this store: only the one read for all can find this.
    await lives[7]?.say('news');
    expect(await next[7]).toMatchObject({ page: { last: 2 } });
    expect(counts).toMatchObject({ looks: looks + 1, pages: 1 });
    await Promise.all(lives.map((live) => live.finish()));
    const ends = await Promise.all(next.filter((_, place) => place !== 7));
    expect(ends.map(({ page }) => page?.last)).toEqual(Array(299).fill(2));
    for (const follower of followers) follower[Symbol.dispose]();
    expect(feed.counts).toEqual({ followers: 0, runs: 0 });
  });

  test('when nothing is followed any more, no timer is left', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const live = await openLiveRun(process);
    const feed = new EventFeed(process.engine.store);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const follower = await feed.follow(live.runId, { since: 1 });
      expect(vi.getTimerCount()).toBe(1);
      follower[Symbol.dispose]();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('D11 what one follower finds out when it comes reaches those who wait', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const live = await openLiveRun(process);
    const { store, waiting, timeout } = watched(process.engine.store);
    const feed = new EventFeed(store);
    using first = await feed.follow(live.runId, { since: 1 });
    const next = first.next();
    await until(async () => waiting.size === 1);
    await live.say('news');
    using second = await feed.follow(live.runId, { since: 0 });
    expect((await second.next()).page?.last).toBe(2);
    // The late hint finds nothing that is new.
    timeout();
    await until(async () => waiting.size === 1);
    expect((await next).page?.last).toBe(2);
  });

  test('D14 no follower misses or repeats anything, whatever its pace and whenever it comes', async () => {
    await using world = await openTestWorld(storeOptions);
    const [writer, reader] = [await world.start(), await world.start()];
    const pace = fc.constantFrom('quick', 'lazy', 'stalling');
    const follower = fc.record({ pace, part: fc.double({ min: 0, max: 1, noNaN: true }), sameProcess: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 3, maxLength: 12 }),
        fc.array(follower, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(10, 9_000, 70_000),
        async (appends, followers, size) => {
          const live = await openLiveRun(writer);
          const feeds = { same: new EventFeed(writer.engine.store), other: new EventFeed(reader.engine.store) };
          const text = 'x'.repeat(size);
          const reading: Promise<{ since: number; seqs: number[]; end: FollowEnd }>[] = [];
          for (const [index, count] of appends.entries()) {
            for (const each of followers.filter((_, place) => place % appends.length === index)) {
              const since = Math.floor(each.part * live.head);
              const feed = each.sameProcess ? feeds.same : feeds.other;
              const pause = async (seen: number) => {
                if (each.pace === 'lazy') await nextTurn();
                if (each.pace === 'stalling' && seen < 100) await new Promise((resolve) => setTimeout(resolve, 3));
              };
              const start = async () => {
                using started = await feed.follow(live.runId, { since });
                return { since, ...(await drink(started, pause)) };
              };
              reading.push(start());
            }
            await live.say(...Array.from({ length: count }, () => (size > 10_000 && count > 5 ? 'y' : text)));
          }
          await live.finish();
          for (const { since, seqs, end } of await Promise.all(reading)) {
            expect(seqs).toEqual(Array.from({ length: live.head - since }, (_, index) => since + index + 1));
            expect(end).toEqual({ why: 'terminal', cursor: live.head });
          }
          expect([feeds.same.counts, feeds.other.counts]).toEqual(Array(2).fill({ followers: 0, runs: 0 }));
        },
      ),
      { numRuns: 15 },
    );
  }, 60_000);

  test('D12 many who catch up at once let the event loop turn in between', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const live = await openLiveRun(process);
    for (let count = 0; count < 3; count++) await live.say(...Array.from({ length: 100 }, () => 'x'.repeat(300)));
    await live.finish();
    const { store, counts } = watched(process.engine.store);
    const feed = new EventFeed(store);
    let turns = 0;
    let reading = true;
    const turning = (async () => {
      while (reading) {
        await nextTurn();
        turns++;
      }
    })();
    // Each from another place, so that nothing can be shared.
    const all = await Promise.all(
      Array.from({ length: 60 }, async (_, since) => {
        using follower = await feed.follow(live.runId, { since });
        return (await drink(follower)).seqs.length + since;
      }),
    );
    reading = false;
    await turning;
    expect(new Set(all)).toEqual(new Set([live.head]));
    expect(counts.pages).toBeGreaterThan(60);
    expect(turns).toBeGreaterThan(counts.pages / 8);
  });

  test('a store that fails is told to all followers, who are let go, and the next one starts anew', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const live = await openLiveRun(process);
    let broken = false;
    const { store, timeout, waiting } = watched(process.engine.store);
    const feed = new EventFeed({
      ...store,
      select: async (sql, values) => {
        if (broken) throw new Error('the disk is gone');
        return store.select(sql, values);
      },
    });
    const followers = await Promise.all([1, 1, 1].map((since) => feed.follow(live.runId, { since })));
    const told = Promise.allSettled(followers.map((follower) => follower.next()));
    await until(async () => waiting.size === 1);
    broken = true;
    timeout();
    expect(await told).toMatchObject(Array(3).fill({ status: 'rejected', reason: { message: 'the disk is gone' } }));
    await expect(feed.follow(live.runId, { since: 1 })).rejects.toThrow('the disk is gone');
    broken = false;
    await live.finish();
    using again = await feed.follow(live.runId, { since: 1 });
    expect(await drink(again)).toEqual({ seqs: [2], end: { why: 'terminal', cursor: 2 } });
    for (const follower of followers) follower[Symbol.dispose]();
    expect(feed.counts).toEqual({ followers: 0, runs: 0 });
  });

  test('D26 draining ends those who wait and those who come, and a finished run still ends with its terminal event', async () => {
    await using world = await openTestWorld(storeOptions);
    const process = await world.start();
    const [live, finished] = [await openLiveRun(process), await openLiveRun(process)];
    await finished.finish();
    const feed = new EventFeed(process.engine.store);
    const follower = await feed.follow(live.runId, { since: 1 });
    const end = follower.next();
    feed.drain();
    expect(await end).toEqual({ end: { why: 'drain', cursor: 1 } });
    const late = await feed.follow(live.runId, { since: 0 });
    expect(await late.next()).toEqual({ end: { why: 'drain', cursor: 0 } });
    const over = await feed.follow(finished.runId, { since: 2 });
    expect(await over.next()).toEqual({ end: { why: 'terminal', cursor: 2 } });
    expect(feed.counts).toEqual({ followers: 0, runs: 0 });
  });
});
