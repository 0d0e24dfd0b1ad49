import { defineWorkflow } from '../../../contract/define.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { JsonValue } from '../../../contract/json.ts';
import { type Clock, systemClock } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import { openTestWorld, type TestProcess, type TestWorldOptions } from './engine.ts';

export const dayInMicros = 86_400_000_000;

/** A clock that goes on from some days before now, or from now. */
export interface MovableClock extends Clock {
  /** From here on it is so many days ago; 0 is the real time. */
  goTo(daysAgo: number): void;
}

export function movableClock(): MovableClock {
  let ago = 0;
  let last = 0;
  return {
    goTo: (daysAgo) => {
      ago = daysAgo * dayInMicros;
      last = 0;
    },
    now: () => {
      last = Math.max(systemClock.now() - ago, last + 1);
      return last;
    },
  };
}

/** Two steps, then what the input says. */
export const agedWorkflow = defineWorkflow('aged', { snapshot: 'none' }, async (run, input) => {
  await run.step('first', {}, async () => 1);
  await run.step('second', {}, async () => {
    if (input === 'fail') throw new Error('as asked');
    return 2;
  });
  if (input === 'wait') await run.approval('ship', { prompt: 'Ship it?' });
  return null;
});

/** A process of a world whose runs were made long ago. */
export async function openAgedWorld(options: Pick<TestWorldOptions, 'openStore'> = {}) {
  const clock = movableClock();
  const world = await openTestWorld({ workflows: [agedWorkflow], clock, ...options });
  const process = await world.start();
  return {
    world,
    clock,
    process,
    store: process.engine.store,
    /** Runs one to its end (or its wait), so many days ago. */
    run: async (daysAgo: number, input: JsonValue = null, idempotencyKey?: string): Promise<RunId> => {
      clock.goTo(daysAgo);
      const key = idempotencyKey === undefined ? {} : { idempotencyKey };
      const { runId, outcome } = await process.runs.start({ workflow: 'aged', input, actor: 'me', ...key });
      await outcome;
      clock.goTo(0);
      return runId;
    },
    /** A run that shares the first receipt of another, made so many days ago. */
    fork: async (daysAgo: number, from: RunId): Promise<RunId> => {
      clock.goTo(daysAgo);
      const { runId, outcome } = await process.runs.fork(from, { actor: 'me', from: 'second' });
      await outcome;
      clock.goTo(0);
      return runId;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** What has a column `run`, but for `removed_run`, which is meant to outlive the run. */
export const tablesOfRun = [
  'pending_step',
  'receipt',
  'run_event',
  'run_input',
  'run_link',
  'run_process',
  'run_queue',
  'run_request',
  'shared_receipt',
] as const;

/** How many rows of any table speak of a run. */
export function rowsOf(store: Store, runId: RunId): Promise<number> {
  return store.read(async (tx) => {
    let rows = (await tx.db.selectFrom('run').select('id').where('id', '=', runId).execute()).length;
    for (const table of tablesOfRun) {
      rows += (await tx.db.selectFrom(table).select('run').where('run', '=', runId).execute()).length;
    }
    return rows;
  });
}

/** The same process, on a store that is another one in some of what it does. */
export function onStore({ engine }: Pick<TestProcess, 'engine'>, changes: Partial<Store>) {
  const { store } = engine;
  const changed: Store = {
    engine: store.engine,
    hints: store.hints,
    read: (scope) => store.read(scope),
    write: (scope) => store.write(scope),
    locked: (row, scope, options) => store.locked(row, scope, options),
    select: (sql, values) => store.select(sql, values),
    submit: (operation) => store.submit(operation),
    close: () => store.close(),
    ...changes,
  };
  return { store: changed, clock: engine.clock };
}
