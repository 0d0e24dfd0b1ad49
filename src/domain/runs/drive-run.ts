import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { ReadTx } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import type { Outcome } from './execution/perform.ts';
import type { Holder } from './lease/holder.ts';
import { livingHolder } from './lease/lease.ts';
import { type RunRow, readRunRow } from './load-run.ts';
import type { Runs } from './runs.ts';
import { isTerminal, readState, type TerminalState } from './states.ts';

/** Where a driven run came to: its end, or why this process has nothing more to do for it. */
export type DrivenEnd =
  | { readonly kind: 'finished'; readonly state: TerminalState }
  | { readonly kind: 'paused' }
  | { readonly kind: 'interrupted'; readonly signal: string }
  /** Another process goes on with it. */
  | { readonly kind: 'held'; readonly holder: Holder }
  /** We were told to stop while the run waited: it still waits. */
  | { readonly kind: 'left' };

export interface DriveOptions {
  readonly actor: string;
  /** Ends the waiting; work under way is ended by `Runs.shutdown`. */
  readonly signal?: AbortSignal;
}

const lookEveryMs = 1_000;

/**
 * Stays with a run until it is finished: awaits the pass at work, and each time the run rests, waits until it was
 * answered or its time has come, and resumes it. What a command in the foreground does.
 * @throws what makes it impossible to go on: `drift`, `nondeterministic_workflow`, errors of the store
 */
export async function driveToEnd(
  runs: Runs,
  engine: Pick<Engine, 'store' | 'clock' | 'host'>,
  runId: RunId,
  outcome: Promise<Outcome> | null,
  options: DriveOptions,
): Promise<DrivenEnd> {
  for (let pass = outcome; ; ) {
    const ended = await pass;
    if (ended?.kind === 'finished') return { kind: 'finished', state: ended.state };
    if (ended?.kind === 'paused' || ended?.kind === 'interrupted') return ended;
    const end = await untilReady(engine, runId, options.signal);
    if (end !== undefined) return end;
    try {
      pass = (await runs.resume(runId, { actor: options.actor })).outcome;
    } catch (error) {
      // Somebody else was faster, or it was canceled this moment: looking again tells which.
      if (!(error instanceof WaybillError && (error.code === 'lease_held' || error.code === 'run_finished')))
        throw error;
      pass = null;
    }
  }
}

/** Waits while the run rests; undefined when it is ready to go on, else why not by us. */
async function untilReady(
  engine: Pick<Engine, 'store' | 'clock' | 'host'>,
  runId: RunId,
  signal: AbortSignal | undefined,
): Promise<DrivenEnd | undefined> {
  using news = engine.store.hints.subscribe(`run:${runId}`);
  for (;;) {
    const { row, paused, workedOn } = await engine.store.read((tx) => look(tx, runId));
    const state = readState(row.state);
    if (isTerminal(state)) return { kind: 'finished', state };
    const now = engine.clock.now();
    const holder = livingHolder({ ...row, id: parseId('run', row.id) }, engine.host, now);
    if (holder !== null && workedOn) return { kind: 'held', holder };
    if (paused) return { kind: 'paused' };
    // Not waiting and held by nobody: whoever took it on has died since.
    if (holder === null && (state !== 'waiting' || (row.wake_at !== null && row.wake_at <= now))) return undefined;
    if (signal?.aborted === true) return { kind: 'left' };
    const sleepMs = holder !== null || row.wake_at === null ? lookEveryMs : Math.ceil((row.wake_at - now) / 1_000);
    await news.next(Math.min(sleepMs, lookEveryMs), signal);
  }
}

async function look(tx: ReadTx, runId: RunId) {
  const row = await readRunRow(tx, runId);
  const last = await tx.db
    .selectFrom('run_event')
    .select('type')
    .where('run', '=', runId)
    .where('seq', '=', row.head_seq)
    .executeTakeFirst();
  return { row, paused: last?.type === 'run.paused', workedOn: row.holder !== null && (await isWorkedOn(tx, row)) };
}

/**
 * Whoever answers a run that rests holds it for that moment, without a word in the ledger; whoever goes on with it
 * says so, with the epoch of the lease.
 */
async function isWorkedOn(tx: ReadTx, { id, epoch }: RunRow): Promise<boolean> {
  const begun = await tx.db
    .selectFrom('run_event')
    .select('body')
    .where('run', '=', id)
    .where('type', 'in', ['run.started', 'run.resumed'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const resumed = begun === undefined ? undefined : resumedBody.safeParse(JSON.parse(begun.body)).data;
  return (resumed?.data.epoch ?? 1) === epoch;
}

const resumedBody = z.looseObject({ type: z.literal('run.resumed'), data: z.looseObject({ epoch: z.int() }) });
