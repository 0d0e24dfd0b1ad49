import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../test/support/both-stores.ts';
import type { RunId } from '../contract/ids.ts';
import { PassSchedule } from '../domain/runs/retention/pass-schedule.ts';
import { dayInMicros, onStore, openAgedWorld, rowsOf } from '../domain/runs/testing/aged-runs.ts';
import { until } from '../domain/runs/testing/look.ts';
import type { ErrorStore } from '../platform/envelopes/error-store.ts';
import { testEmitters } from '../platform/envelopes/fixtures/test-emitters.ts';
import { openErrorStore } from '../platform/envelopes/open-error-store.ts';
import { spanWriter } from '../platform/envelopes/span-writer.ts';
import { RetentionWorker, type RetentionWorkerParts } from './retention.ts';
import { runRetention } from './run-retention.ts';

afterAll(dropDatabases);
type Aged = Awaited<ReturnType<typeof openAgedWorld>>;
const hour = dayInMicros / 24;
const retention = { runDays: 30, runCount: null, envelopeDays: 20 };
const rethrow = async (error: unknown): Promise<never> => {
  throw error;
};

/** A daemon's worker in a time of its own: it sleeps for as long as the test says, and tells when it does. */
function startWorker(parts: Omit<RetentionWorkerParts, 'report' | 'sleep'> & Partial<RetentionWorkerParts>) {
  const sleeps: number[] = [];
  let wake = Promise.withResolvers<void>();
  const worker = new RetentionWorker({
    report: rethrow,
    sleep: async (milliseconds, signal) => {
      sleeps.push(milliseconds);
      signal.addEventListener('abort', () => wake.resolve(), { once: true });
      await wake.promise;
    },
    ...parts,
  });
  worker.start();
  const wakeUp = () => {
    const last = wake;
    wake = Promise.withResolvers<void>();
    last.resolve();
  };
  return {
    sleeps,
    wake: wakeUp,
    /** The present sleep is over; resolves when the next one begins. */
    look: async () => {
      const before = sleeps.length;
      wakeUp();
      await until(async () => sleeps.length > before);
    },
    close: () => worker.close(),
  };
}

/** Counts what it is asked to clean, and has nothing. */
function countingErrors(workspaceId = 'ws_count') {
  const calls: number[] = [];
  const errors: ErrorStore = new Proxy<ErrorStore>(Object.create(null), {
    get: (_, name) => {
      if (name === 'workspaceId') return workspaceId;
      if (name !== 'cleanup') throw new Error(`not asked for in this test: ${String(name)}`);
      return async ({ keepDays }: { keepDays: number }) => {
        calls.push(keepDays);
        return { cutOff: 0, removed: 0, kept: 0, removedSpans: 0, keptSpans: 0, dryRun: false };
      };
    },
  });
  return { errors, calls };
}

async function fill(aged: Aged): Promise<{ readonly errors: ErrorStore; readonly old: RunId; readonly kept: RunId }> {
  const now = aged.clock.now();
  for (const daysAgo of [50, 21, 19]) {
    const clock = { now: () => now - daysAgo * dayInMicros };
    const emit = testEmitters({ workspaceId: 'ws_aged', clock })('L4', 'runs').emit;
    const failed = { errorClass: 'domain.constraint', severity: 'error', message: 'the check failed' } as const;
    await openErrorStore(aged.store, 'ws_aged', clock).persist(emit(failed));
    const place = { correlationId: 'c', spanId: 's', parentSpanId: null, component: 'runs', name: 'n', note: null };
    await spanWriter(
      aged.store,
      'ws_aged',
    )([{ ...place, startedAt: clock.now(), endedAt: clock.now(), outcome: 'succeeded' }]);
  }
  const [old, kept] = [await aged.run(31), await aged.run(29)];
  return { errors: openErrorStore(aged.store, 'ws_aged'), old, kept };
}

describe.each(bothStores)('retention on %s', (_, where) => {
  test('F33 D25 the daily pass removes envelopes, spans and runs past their time, and says what, how many and why', async () => {
    await using aged = await openAgedWorld(await where());
    const { errors, old, kept } = await fill(aged);
    const blocked: RunId = await aged.run(60);
    const blockers = [{ name: 'controls', blocks: async () => new Map([[blocked, 'control c1 replays it']]) }];
    const parts = { engine: aged.process.engine, errorStore: errors, configuration: { retention }, blockers };
    const expected = {
      dryRun: true,
      tables: [
        { table: 'run', removed: 1, kept: 2, reason: 'kept for 30 days' },
        { table: 'infra_error_events', removed: 2, kept: 1, reason: 'kept for 20 days' },
        { table: 'span', removed: 2, kept: 1, reason: 'kept for 20 days' },
      ],
      blocked: [{ run: blocked, why: 'control c1 replays it' }],
    };
    expect(await runRetention(parts, { dryRun: true, actor: 'me' })).toEqual(expected);
    const lines: string[] = [];
    const worker = startWorker({ ...parts, actor: 'local:5', log: (line) => lines.push(line) });
    expect(worker.sleeps[0]).toBeGreaterThanOrEqual(120_000);
    expect(worker.sleeps[0]).toBeLessThanOrEqual(300_000);
    expect(await rowsOf(aged.store, old)).toBeGreaterThan(0);
    await worker.look();
    expect([await rowsOf(aged.store, old), (await rowsOf(aged.store, kept)) > 0]).toEqual([0, true]);
    expect(lines).toEqual([
      'retention removed 1 of 3 in run, 2 of 3 in infra_error_events, 2 of 3 in span; ' +
        `kept beyond their time: 1, such as ${blocked} (control c1 replays it)`,
    ]);
    const audits = await aged.store.read((tx) =>
      tx.db.selectFrom('audit').select(['actor', 'details']).where('action', '=', 'retention.passed').execute(),
    );
    expect(audits).toHaveLength(1);
    expect(audits[0]?.actor).toBe('local:5');
    expect(JSON.parse(audits[0]?.details ?? '')).toEqual({
      blocked: 1,
      tables: Object.fromEntries(expected.tables.map(({ table, ...rest }) => [table, rest])),
    });
    // What is left is young enough.
    expect(await runRetention(parts, { dryRun: true, actor: 'me' })).toMatchObject({
      tables: [
        { removed: 0, kept: 2 },
        { removed: 0, kept: 1 },
        { removed: 0, kept: 1 },
      ],
    });
    await worker.close();
  });

  test('F33 a daemon restarted each hour cleans once a day, at the same time of day; of two daemons one does', async () => {
    await using aged = await openAgedWorld(await where());
    const begin = aged.clock.now();
    let now = begin;
    const { errors, calls } = countingErrors();
    const passes: number[] = [];
    const engine = { ...aged.process.engine, clock: { now: () => now } };
    const parts = { engine, errorStore: errors, configuration: { retention } };
    for (let hours = 0; hours < 72; hours += 1) {
      now = begin + hours * hour;
      const daemons = [startWorker(parts), startWorker(parts)];
      const before = calls.length;
      await Promise.all(daemons.map((daemon) => daemon.look()));
      if (calls.length > before) passes.push(hours);
      for (const daemon of daemons) {
        const sleep = daemon.sleeps.at(-1) ?? 0;
        expect(sleep).toBeGreaterThanOrEqual(60_000);
        expect(sleep).toBeLessThanOrEqual(3_660_000);
        await daemon.close();
      }
    }
    expect(passes).toEqual([0, 24, 48]);
    expect(calls).toEqual([20, 20, 20]);
    // Another workspace on the same store has passes of its own.
    const other = countingErrors('ws_other');
    const second = startWorker({ ...parts, errorStore: other.errors });
    await second.look();
    expect(other.calls).toEqual([20]);
    await second.close();
  });

  test('of many that claim a pass at once one gets it; one that died is taken over after an hour, a late one keeps the time of day', async () => {
    await using aged = await openAgedWorld(await where());
    const second = await aged.world.start();
    const begin = aged.clock.now();
    let now = begin;
    const schedules = [aged.store, second.engine.store].map(
      (store) => new PassSchedule(store, { now: () => now }, 'w'),
    );
    const claim = async () => {
      const claims = await Promise.all([...schedules, ...schedules, ...schedules].map((schedule) => schedule.claim()));
      return claims.filter((each) => each !== null);
    };
    const [schedule] = schedules;
    if (schedule === undefined) throw new Error('no schedule');
    const audit = { actor: 'me', action: 'retention.passed', resource: 'retention', outcome: 'succeeded' } as const;
    const at = async (time: number) => {
      now = time;
      return (await claim()).length;
    };
    expect(await claim()).toEqual([{ workspace: 'w', dueAt: begin }]);
    expect(await at(begin + hour - 1)).toBe(0);
    expect(await at(begin + hour)).toBe(1);
    await schedule.giveBack({ workspace: 'w', dueAt: begin });
    expect(await at(begin + hour + 1)).toBe(1);
    await schedule.end({ workspace: 'w', dueAt: begin }, { ...audit, at: now });
    expect(await schedule.next()).toBe(begin + dayInMicros);
    expect(await at(begin + dayInMicros - 1)).toBe(0);
    // Nobody ran for more than a week: one pass, and the next on the grid.
    expect(await at(begin + 9.5 * dayInMicros)).toBe(1);
    await schedule.end({ workspace: 'w', dueAt: begin + dayInMicros }, { ...audit, at: now });
    expect(await schedule.next()).toBe(begin + 10 * dayInMicros);
    // A clock that was years ahead when the last pass was done does not stop them for years.
    expect(await at(begin - 1_000 * dayInMicros)).toBe(1);
  });

  test('a failed pass is reported and begun again within the hour; a closed one is left to the next daemon at once', async () => {
    await using aged = await openAgedWorld(await where());
    const { errors, old } = await fill(aged);
    const also = await aged.run(40);
    let now = aged.clock.now();
    const engine = { ...aged.process.engine, clock: { now: () => now } };
    const configuration = { retention };
    const reported: unknown[] = [];
    const broken = { name: 'controls', blocks: () => Promise.reject(new Error('cannot be asked')) };
    const parts = { engine, errorStore: errors, configuration };
    const report = async (error: unknown) => void reported.push(error);
    const failing = startWorker({ ...parts, blockers: [broken], report });
    await failing.look();
    expect(reported).toMatchObject([{ message: 'cannot be asked' }]);
    expect(failing.sleeps.at(-1)).toBeLessThanOrEqual(3_660_000);
    expect(await rowsOf(aged.store, old)).toBeGreaterThan(0);
    now += hour;
    await failing.look();
    expect(reported).toHaveLength(2);
    await failing.close();

    now += hour;
    const box: { close?: () => Promise<void> } = {};
    let closed: Promise<void> | undefined;
    const slow = onStore(aged.process, {
      locked: async (row, scope, options) => {
        const result = await aged.store.locked(row, scope, options);
        closed ??= box.close?.();
        return result;
      },
    });
    const stopping = startWorker({ ...parts, engine: { ...engine, store: slow.store } });
    box.close = stopping.close;
    stopping.wake();
    await until(async () => closed !== undefined);
    await closed;
    // The newer went, the older was not begun.
    expect([await rowsOf(aged.store, old), (await rowsOf(aged.store, also)) > 0]).toEqual([0, true]);
    const next = startWorker(parts);
    await next.look();
    expect(await rowsOf(aged.store, also)).toBe(0);
    await next.close();
  });
});
