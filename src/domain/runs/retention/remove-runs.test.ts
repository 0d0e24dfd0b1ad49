import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, describe, expect, test } from 'vitest';
import { bothStores, dropDatabases } from '../../../../test/support/both-stores.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { writeBundle } from '../evidence/bundle.ts';
import { importBundle } from '../evidence/import-bundle.ts';
import { verifyRun } from '../evidence/verify.ts';
import { followEvents } from '../ledger/follow-events.ts';
import { readEvents } from '../ledger/read-events.ts';
import { requestRun } from '../requests.ts';
import { showRun } from '../show-run.ts';
import { dayInMicros, onStore, openAgedWorld, rowsOf, tablesOfRun } from '../testing/aged-runs.ts';
import { type RemoveRunsRequest, removeRuns } from './remove-runs.ts';
import { removedRun } from './removed-run.ts';
import type { RunBlocker } from './run-blocker.ts';

afterAll(dropDatabases);
type Aged = Awaited<ReturnType<typeof openAgedWorld>>;

const keeping = (limits: Partial<RemoveRunsRequest>): RemoveRunsRequest => ({
  runDays: null,
  runCount: null,
  dryRun: false,
  blockers: [],
  actor: 'local:7',
  ...limits,
});
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing refused it',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );
const runsIn = (aged: Aged) =>
  aged.store
    .read((tx) => tx.db.selectFrom('run').select('id').orderBy('id').execute())
    .then((rows) => rows.map((row) => row.id));
const windows = (aged: Aged) => aged.store.read((tx) => tx.db.selectFrom('retention_window').selectAll().execute());

async function follow(aged: Aged, runId: RunId, since: number) {
  const events = followEvents(aged.store, runId, { since, timeoutMs: 10_000 });
  for (;;) {
    const { value, done } = await events.next();
    if (done === true) return value;
  }
}

describe.each(bothStores)('retention of runs on %s', (name, where) => {
  test('D25 what is past its time goes whole, the rest stays whole; followers are told of the gap, blockers by name', async () => {
    await using aged = await openAgedWorld(await where());
    const { store, process } = aged;
    const published = await aged.run(100);
    const failed = await aged.run(90, 'fail', 'key');
    const shared = await aged.run(80);
    const waiting = await aged.run(70, 'wait');
    const [old, fresh] = [await aged.run(31), await aged.run(29)];
    const fork = await aged.fork(2, shared);
    const blockers: RunBlocker[] = [
      {
        name: 'published versions',
        blocks: async () => new Map([[published, 'version acme/tool@1.0.0 was built by it']]),
      },
      {
        name: 'open incidents',
        blocks: async (runs) => new Map(runs.includes(published) ? [[published, 'inc_1']] : []),
      },
    ];
    const blocked = [
      { run: shared, why: `${fork} came from it and is kept` },
      { run: published, why: 'version acme/tool@1.0.0 was built by it; inc_1' },
    ];
    const { lastSeq } = await showRun(process.engine, failed);
    const request = keeping({ runDays: 30, blockers });
    const expected = { removed: 2, kept: 5, blocked };
    expect(await removeRuns(process.engine, { ...request, dryRun: true })).toEqual(expected);
    expect(await runsIn(aged)).toHaveLength(7);
    expect(await removeRuns(process.engine, request)).toEqual(expected);
    expect(await removeRuns(process.engine, request)).toEqual({ ...expected, removed: 0 });

    expect(await runsIn(aged)).toEqual([published, shared, waiting, fresh, fork].toSorted());
    for (const run of [failed, old]) expect(await rowsOf(store, run)).toBe(0);
    for (const run of [published, shared, waiting, fresh, fork]) {
      expect(await verifyRun(process.engine, run)).toMatchObject({ intact: true });
    }
    expect(await removedRun(store, failed)).toMatchObject({ run: failed, state: 'failed', lastSeq, reason: 'age' });
    expect(await windows(aged)).toEqual([]);
    const audits = await store.read((tx) =>
      tx.db.selectFrom('audit').select(['actor', 'resource', 'reason']).where('action', '=', 'run.removed').execute(),
    );
    expect(audits.toSorted((a, b) => (a.resource < b.resource ? -1 : 1))).toEqual([
      { actor: 'local:7', resource: failed, reason: 'age' },
      { actor: 'local:7', resource: old, reason: 'age' },
    ]);

    // Whoever asks for it hears the same, on every path.
    const { engine, runs } = process;
    const cancel = { kind: 'cancel', comment: null } as const;
    for (const asked of [
      () => showRun(engine, failed),
      () => readEvents(store, failed, 1),
      () => runs.resume(failed, { actor: 'me' }),
      () => runs.retryFailed(failed, { actor: 'me', reason: 'again' }),
      () => requestRun(engine, failed, cancel, { actor: 'me' }),
    ]) {
      await expect(asked()).rejects.toMatchObject({ code: 'run_removed', details: { run: failed, lastSeq } });
    }
    const unknown = parseId('run', 'run-20200101-000000-00000000');
    expect(await codeOf(showRun(engine, unknown))).toBe('run_not_found');
    for (const since of [0, 1]) {
      expect(await follow(aged, failed, since)).toEqual({ why: 'gap', cursor: since, lastRemoved: lastSeq });
    }
    // Who has the last event misses nothing.
    expect(await follow(aged, failed, lastSeq)).toEqual({ why: 'terminal', cursor: lastSeq });
    // Its key is free: asked again, the work is done again, in a new run.
    const again = await aged.run(0, 'fail', 'key');
    expect(await showRun(engine, again)).toMatchObject({ state: 'failed' });
  });

  test('a run and those that came from it go in one pass, derived ones first', async () => {
    await using aged = await openAgedWorld(await where());
    const origin = await aged.run(90);
    const fork = await aged.fork(80, origin);
    const second = await aged.fork(70, fork);
    const dry = await removeRuns(aged.process.engine, keeping({ runDays: 30, dryRun: true }));
    expect(dry).toEqual({ removed: 3, kept: 0, blocked: [] });
    expect(await removeRuns(aged.process.engine, keeping({ runDays: 30 }))).toEqual(dry);
    for (const run of [origin, fork, second]) expect(await rowsOf(aged.store, run)).toBe(0);
  });

  test('the newest are kept by count, and whatever finished within a day beyond them', async () => {
    await using aged = await openAgedWorld(await where());
    const old = [await aged.run(5), await aged.run(4), await aged.run(3)];
    const young = [await aged.run(0.9), await aged.run(0.5), await aged.run(0)];
    const waiting = await aged.run(2, 'wait');
    const by = (runCount: number) => removeRuns(aged.process.engine, keeping({ runCount, runDays: 30 }));
    expect(await by(7)).toEqual({ removed: 0, kept: 7, blocked: [] });
    expect(await by(5)).toEqual({ removed: 1, kept: 6, blocked: [] });
    expect(await by(1)).toEqual({ removed: 2, kept: 4, blocked: [] });
    expect(await runsIn(aged)).toEqual([waiting, ...young].toSorted());
    expect(await removedRun(aged.store, old[0] ?? waiting)).toMatchObject({ reason: 'count' });
    expect(await codeOf(by(0))).toBe('invalid_argument');
    expect(await codeOf(removeRuns(aged.process.engine, keeping({ runDays: 1.5 })))).toBe('invalid_argument');
  });

  test('the store refuses a removal past retention: without a window, before a day is over, in parts, or of what is not finished', async () => {
    await using aged = await openAgedWorld(await where());
    const { store } = aged;
    const [old, young, waiting] = [await aged.run(9), await aged.run(0.9), await aged.run(8, 'wait')];
    const gone = await aged.run(50);
    await removeRuns(aged.process.engine, keeping({ runDays: 40 }));
    const row = async (run: RunId) => {
      const found = await store.read((tx) =>
        tx.db.selectFrom('run').selectAll().where('id', '=', run).executeTakeFirst(),
      );
      if (found === undefined) throw new Error('no such run');
      const { head_seq, head_digest, finished_at } = found;
      return {
        run,
        state: 'succeeded',
        last_seq: head_seq,
        last_digest: head_digest,
        finished_at: finished_at ?? 0,
        removed_at: 0,
        reason: 'age',
      } as const;
    };
    const rows = { old: await row(old), young: await row(young), waiting: await row(waiting) };
    const inWindow = (
      cut_off: number,
      deed: (db: Parameters<Parameters<typeof store.write>[0]>[0]['db']) => Promise<unknown>,
    ) =>
      store.write(async ({ db }) => {
        await db.insertInto('retention_window').values({ table_name: 'run', cut_off }).execute();
        await deed(db);
        await db.deleteFrom('retention_window').execute();
      });
    const never = Number.MAX_SAFE_INTEGER;
    const deeds: Record<string, () => Promise<unknown>> = {
      'a run without a window': () => store.write(({ db }) => db.deleteFrom('run').where('id', '=', old).execute()),
      'events without a window': () =>
        store.write(({ db }) => db.deleteFrom('run_event').where('run', '=', old).execute()),
      'receipts without a window': () =>
        store.write(({ db }) => db.deleteFrom('receipt').where('run', '=', old).execute()),
      'a removal without a window': () =>
        store.write(({ db }) => db.insertInto('removed_run').values(rows.old).execute()),
      'a window that is too old': () =>
        inWindow(rows.old.finished_at, (db) => db.insertInto('removed_run').values(rows.old).execute()),
      'events without the word of it': () =>
        inWindow(never, (db) => db.deleteFrom('run_event').where('run', '=', old).execute()),
      'receipts without the word of it': () =>
        inWindow(never, (db) => db.deleteFrom('receipt').where('run', '=', old).execute()),
      'a run without the word of it': () =>
        inWindow(never, (db) => db.deleteFrom('run').where('id', '=', old).execute()),
      'a young one, with a window into the future': () =>
        inWindow(never, (db) => db.insertInto('removed_run').values(rows.young).execute()),
      'a young one with an old date': () =>
        inWindow(never, (db) =>
          db
            .insertInto('removed_run')
            .values({ ...rows.young, finished_at: 1 })
            .execute(),
        ),
      'one that waits': () => inWindow(never, (db) => db.insertInto('removed_run').values(rows.waiting).execute()),
      'one at another event': () =>
        inWindow(never, (db) =>
          db
            .insertInto('removed_run')
            .values({ ...rows.old, last_seq: 1 })
            .execute(),
        ),
      'the row of a run that is still whole': () =>
        inWindow(never, async (db) => {
          await db.insertInto('removed_run').values(rows.old).execute();
          await db.deleteFrom('run').where('id', '=', old).execute();
        }),
      'the word of a removal': () =>
        store.write(({ db }) => db.deleteFrom('removed_run').where('run', '=', gone).execute()),
      'another reason': () => store.write(({ db }) => db.updateTable('removed_run').set({ reason: 'count' }).execute()),
      'the same run once more': () =>
        inWindow(never, (db) =>
          db
            .insertInto('removed_run')
            .values({ ...rows.old, run: gone })
            .execute(),
        ),
    };
    if (store.engine === 'sqlite') {
      deeds['a replaced word'] = () =>
        inWindow(never, (db) =>
          db
            .insertInto('removed_run')
            .orReplace()
            .values({ ...rows.old, run: gone })
            .execute(),
        );
    }
    const before = [await runsIn(aged), await rowsOf(store, old), await removedRun(store, gone)];
    const codes: Record<string, unknown> = {};
    for (const [name, deed] of Object.entries(deeds)) codes[name] = await codeOf(deed());
    expect(codes).toEqual(Object.fromEntries(Object.keys(deeds).map((name) => [name, 'store_immutable'])));
    for (const table of ['removed_run', 'run', 'run_event', 'receipt'] as const) {
      expect(await codeOf(store.write((tx) => sql`TRUNCATE ${sql.table(table)}`.execute(tx.db)))).not.toBe(
        'nothing refused it',
      );
    }
    expect([await runsIn(aged), await rowsOf(store, old), await removedRun(store, gone)]).toEqual(before);
    expect(await windows(aged)).toEqual([]);
  });

  test('a crash at any point of a pass leaves whole runs and no open window, and the next pass does the rest', async () => {
    for (let survived = 0; survived <= 3; survived += 1) {
      await using aged = await openAgedWorld(await where());
      const runs = [await aged.run(90), await aged.run(80), await aged.run(70)];
      let count = 0;
      const dying = onStore(aged.process, {
        locked: (row, scope, options) =>
          aged.store.locked(
            row,
            async (tx) => {
              const result = await scope(tx);
              if (count++ === survived) throw new Error('the power failed before the commit');
              return result;
            },
            options,
          ),
      });
      const pass = await removeRuns(dying, keeping({ runDays: 30 })).catch((error: unknown) => error);
      expect(pass instanceof Error).toBe(survived < 3);
      expect(await windows(aged)).toEqual([]);
      const left = await runsIn(aged);
      expect(left).toHaveLength(3 - survived);
      for (const run of runs) {
        if (left.includes(run)) expect(await verifyRun(aged.process.engine, run)).toMatchObject({ intact: true });
        else expect(await rowsOf(aged.store, run)).toBe(0);
        expect((await removedRun(aged.store, run)) === null).toBe(left.includes(run));
      }
      const rest = await removeRuns(aged.process.engine, keeping({ runDays: 30 }));
      expect(rest).toEqual({ removed: 3 - survived, kept: 0, blocked: [] });
    }
  });

  test('of passes at once each run is removed by one, and a fork at that moment shares what is there or hears that it is gone', async () => {
    await using aged = await openAgedWorld(await where());
    const second = await aged.world.start();
    for (let round = 0; round < 8; round += 1) {
      const origin = await aged.run(90);
      const others = [await aged.run(91), await aged.run(92)];
      const [fork, ...passes] = await Promise.allSettled([
        second.runs.fork(origin, { actor: 'me', from: 'second' }).then(async (made) => {
          await made.outcome;
          return made.runId;
        }),
        removeRuns(aged.process.engine, keeping({ runDays: 30 })),
        removeRuns(second.engine, keeping({ runDays: 30 })),
      ]);
      for (const other of others) expect(await rowsOf(aged.store, other)).toBe(0);
      const removed = passes.map((pass) => (pass.status === 'fulfilled' ? pass.value.removed : Number.NaN));
      const originIsHere = (await rowsOf(aged.store, origin)) > 0;
      expect(removed.reduce((sum, each) => sum + each, 0)).toBe(originIsHere ? 2 : 3);
      if (fork.status === 'rejected') {
        expect(fork.reason).toMatchObject({ code: 'run_removed' });
        continue;
      }
      expect(await verifyRun(aged.process.engine, fork.value)).toMatchObject({ intact: true });
      expect(originIsHere).toBe(true);
      await aged.store.read(async (tx) => {
        const left = await tx.db.selectFrom('shared_receipt').selectAll().where('run', '=', fork.value).execute();
        expect(left).toMatchObject([{ origin_run: origin, number: 1 }]);
      });
    }
  });

  test('an imported run counts from its import; one that was removed here is not taken back', async () => {
    await using here = await openAgedWorld();
    await using there = await openAgedWorld(await where());
    const origin = await here.run(90);
    const fork = await here.fork(80, origin);
    const file = join(here.world.data, 'bundle.json');
    await writeBundle(here.process.engine, fork, file);
    await importBundle(there.process.engine, file, 'you');
    expect(await removeRuns(there.process.engine, keeping({ runDays: 30 }))).toEqual({
      removed: 0,
      kept: 1,
      blocked: [],
    });
    const engine = { store: there.store, clock: { now: () => there.clock.now() + 31 * dayInMicros } };
    expect(await removeRuns(engine, keeping({ runDays: 30 }))).toEqual({ removed: 1, kept: 0, blocked: [] });
    // The receipts that came along with it go too: they are of a run that never was here.
    for (const run of [fork, origin]) expect(await rowsOf(there.store, run)).toBe(0);
    expect(await codeOf(importBundle(there.process.engine, file, 'you'))).toBe('run_removed');
    expect(await rowsOf(there.store, origin)).toBe(0);
  });

  test('law: exactly those past a limit go, save who is needed, shared by one that stays, or not finished', {
    timeout: 120_000,
  }, async () => {
    const made = fc.record({
      daysAgo: fc.integer({ min: 0, max: 60 }),
      finished: fc.boolean(),
      needed: fc.boolean(),
      from: fc.option(fc.nat(30), { nil: null }),
    });
    const limit = fc.option(fc.integer({ min: 1, max: 12 }), { nil: null });
    const property = fc.asyncProperty(
      fc.array(made, { maxLength: 16 }),
      limit,
      fc.option(fc.integer({ min: 1, max: 50 }), { nil: null }),
      async (list, runCount, runDays) => {
        await using aged = await openAgedWorld(await where());
        const base = Math.floor(aged.clock.now() / 1_000_000) * 1_000_000;
        const sorted = list.toSorted((a, b) => b.daysAgo - a.daysAgo);
        const runs = sorted.map((each, index) => {
          const id = idAt(base - each.daysAgo * dayInMicros, index);
          const origin = each.from === null || index === 0 ? null : each.from % index;
          return { ...each, id, index, origin, at: base - each.daysAgo * dayInMicros };
        });
        await insert(aged, runs);
        const finished = runs.filter((run) => run.finished).toReversed();
        const past = new Set(
          finished
            .filter((run, rank) => {
              const old = runDays !== null && run.daysAgo >= runDays;
              return run.daysAgo >= 1 && (old || (runCount !== null && rank >= runCount));
            })
            .map((run) => run.index),
        );
        // From the newest: what stays keeps what it came from.
        const stays = new Set<number>();
        for (const run of runs.toReversed()) {
          if (!past.has(run.index) || run.needed || stays.has(-1 - run.index)) {
            stays.add(run.index);
            if (run.origin !== null) stays.add(-1 - run.origin);
          }
        }
        const needed = new Map(runs.filter((run) => run.needed).map((run) => [run.id, 'needed']));
        const blockers = [{ name: 'a test', blocks: async () => needed }];
        const expected = runs.filter((run) => stays.has(run.index)).map((run) => run.id);
        const request = keeping({ runCount, runDays, blockers });
        const parts = { store: aged.store, clock: { now: () => base + 1_000 } };
        const dry = await removeRuns(parts, { ...request, dryRun: true });
        const report = await removeRuns(parts, request);
        expect(await runsIn(aged)).toEqual(expected.toSorted());
        expect(report).toEqual(dry);
        expect([report.removed, report.kept]).toEqual([runs.length - expected.length, expected.length]);
        const named = report.blocked.map((each) => each.run).toSorted();
        expect(named).toEqual(expected.filter((id) => past.has(runs.findIndex((run) => run.id === id))).toSorted());
      },
    );
    await fc.assert(property, { numRuns: name === 'SQLite' ? 60 : 12 });
  });
});

test('no table that speaks of a run is forgotten: a new one with a column `run` belongs into removeRun', async () => {
  await using aged = await openAgedWorld();
  using database = new DatabaseSync(aged.world.databasePath, { readOnly: true });
  const found = database
    .prepare(
      "SELECT t.name AS name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' AND c.name = 'run' ORDER BY 1",
    )
    .all();
  expect(found.map(({ name }) => name)).toEqual([...tablesOfRun, 'removed_run'].toSorted());
});

interface Drawn {
  readonly id: RunId;
  readonly at: number;
  readonly finished: boolean;
  readonly origin: number | null;
}

function idAt(time: number, index: number): RunId {
  const text = new Date(time / 1000).toISOString().replaceAll(/[-:]/g, '');
  return parseId('run', `run-${text.slice(0, 8)}-${text.slice(9, 15)}-${index.toString(16).padStart(8, '0')}`);
}

async function insert(aged: Aged, runs: readonly Drawn[]): Promise<void> {
  await aged.store.write(async ({ db }) => {
    for (const { id, at, finished, origin } of runs) {
      await db
        .insertInto('run')
        .values({
          id,
          workflow: 'aged',
          tasks: '[]',
          state: finished ? 'succeeded' : 'running',
          actor: 'me',
          root: '',
          snapshot_mode: 'none',
          head_seq: 1,
          head_digest: `of ${id}`,
          receipts: 1,
          epoch: 1,
          created_at: at,
          started_at: at,
          finished_at: finished ? at : null,
        })
        .execute();
      const body = { body: '{}', digest: 'x' };
      await db
        .insertInto('receipt')
        .values({ run: id, number: 1, idempotency_key: 'ik', name: 'first', outcome: 'succeeded', ...body })
        .execute();
      await db
        .insertInto('run_event')
        .values({ run: id, seq: 1, type: finished ? 'run.succeeded' : 'run.started', ...body })
        .execute();
      const from = origin === null ? undefined : runs[origin];
      if (from === undefined) continue;
      await db.insertInto('run_link').values({ run: id, origin_run: from.id, kind: 'fork', created_at: at }).execute();
      await db.insertInto('shared_receipt').values({ run: id, origin_run: from.id, number: 1 }).execute();
    }
  });
}
