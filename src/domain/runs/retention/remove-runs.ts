import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { formatTime, type Micros } from '../../../platform/clock/clock.ts';
import type { ReadTx, Store } from '../../../platform/store/store.ts';
import type { Engine } from '../engine.ts';
import { isTerminal, readState } from '../states.ts';
import { type FinishedRun, removeRun } from './remove-run.ts';
import type { RemovalReason } from './removed-run.ts';
import type { RunBlocker } from './run-blocker.ts';

/** How long finished runs are kept; a run goes when either limit says so. Null is no limit. */
export interface RunRetention {
  /** Days of 24 hours since a run finished (or was imported, when that was later). */
  readonly runDays: number | null;
  /** How many finished runs are kept, the newest; one that finished less than a day ago is kept beyond them. */
  readonly runCount: number | null;
}

export interface RemoveRunsRequest extends RunRetention {
  /** Only say what would be removed. */
  readonly dryRun: boolean;
  /** Who needs runs for longer. */
  readonly blockers: readonly RunBlocker[];
  readonly actor: string;
  /** Aborted: no further run is removed. What is left goes the next time. */
  readonly signal?: AbortSignal;
}

export interface RemovedRuns {
  readonly removed: number;
  /** Runs that are left, whatever their state. */
  readonly kept: number;
  /** Those past their time that are kept because something needs them. */
  readonly blocked: readonly { readonly run: RunId; readonly why: string }[];
}

const dayInMicros = 86_400_000_000;
/** Runs looked at in one read. */
const pageSize = 200;
const finished = ['succeeded', 'failed', 'canceled'] as const;

/**
 * Removes the finished runs that are past their time, newest first: a run that shares the receipts of another goes
 * before that one. Each goes whole, in a transaction of its own, so that a crash in between leaves a shorter list for
 * the next pass and nothing else. Blobs and snapshots stay: a writer may be about to refer to one that is there.
 * @throws WaybillError `invalid_argument` for a limit that is none; whatever a blocker throws
 */
export async function removeRuns(
  engine: Pick<Engine, 'store' | 'clock'>,
  request: RemoveRunsRequest,
): Promise<RemovedRuns> {
  assertLimits(request);
  const { store, clock } = engine;
  const now = clock.now();
  const limits = await findLimits(store, request, now);
  const gone = new Set<string>();
  const blocked: { readonly run: RunId; readonly why: string }[] = [];
  let removed = 0;
  const stopped = () => request.signal?.aborted === true;
  for (let below = limits.below; below !== null && !stopped(); ) {
    const page = await readPage(store, below, limits);
    below = page.next;
    const needed = await findNeeded(request.blockers, page.past);
    const sharers = await findSharers(store, page.past);
    for (const past of page.past) {
      if (stopped()) break;
      const why = needed.get(past.run) ?? sharedBy(sharers.get(past.run), gone);
      if (why !== undefined) {
        blocked.push({ run: past.run, why });
        continue;
      }
      try {
        if (request.dryRun || (await removeRun(store, past, { reason: past.reason, actor: request.actor, now }))) {
          removed += 1;
        }
        gone.add(past.run);
      } catch (error) {
        // The tables know better: it is shared since we looked, or by their clock it is too young.
        if (!(error instanceof WaybillError) || error.code !== 'store_immutable') throw error;
        blocked.push({ run: past.run, why: error.message });
      }
    }
  }
  const left = await countRuns(store);
  return { removed, kept: request.dryRun ? left - removed : left, blocked };
}

interface Limits {
  /** Runs with a lower id are looked at; null when there are none. */
  readonly below: string | null;
  /** Of runs that finished before it, those are past their time ... */
  readonly oldest: Micros | null;
  /** ... and those with an id up to this one, the first beyond the newest `runCount`. */
  readonly upTo: string | null;
  /** None that finished after it goes, whatever the limits. */
  readonly youngest: Micros;
}

type PastRun = FinishedRun & { readonly reason: RemovalReason };

async function findLimits(store: Store, { runDays, runCount }: RunRetention, now: Micros): Promise<Limits> {
  const oldest = runDays === null ? null : now - runDays * dayInMicros;
  const upTo = runCount === null ? null : await firstBeyond(store, runCount);
  // Ids sort by the time of creation, which is before the end: the store need not keep an index for this.
  const created = oldest === null ? null : idAfter(oldest);
  const bounds = [created, upTo === null ? null : `${upTo}~`].filter((bound) => bound !== null);
  return { below: bounds.toSorted().at(-1) ?? null, oldest, upTo, youngest: now - dayInMicros };
}

/** Above every id made up to this moment. */
function idAfter(time: Micros): string {
  const text = formatTime(time + 1_000_000).replaceAll(/[-:]/g, '');
  return `run-${text.slice(0, 8)}-${text.slice(9, 15)}-`;
}

async function firstBeyond(store: Store, count: number): Promise<string | null> {
  const row = await store.read((tx) =>
    tx.db
      .selectFrom('run')
      .select('id')
      .where('state', 'in', finished)
      .orderBy('id', 'desc')
      .offset(count)
      .limit(1)
      .executeTakeFirst(),
  );
  return row?.id ?? null;
}

async function readPage(
  store: Store,
  below: string,
  { oldest, upTo, youngest }: Limits,
): Promise<{ readonly past: readonly PastRun[]; readonly next: string | null }> {
  const rows = await store.read((tx) =>
    tx.db
      .selectFrom('run')
      .leftJoin('run_link', (join) => join.onRef('run_link.run', '=', 'run.id').on('run_link.kind', '=', 'import'))
      .select(['id', 'state', 'finished_at', 'head_seq', 'head_digest', 'run_link.created_at as imported_at'])
      .where('id', '<', below)
      .where('state', 'in', finished)
      .orderBy('id', 'desc')
      .limit(pageSize)
      .execute(),
  );
  const past = rows.flatMap((row): PastRun[] => {
    const state = readState(row.state);
    if (!isTerminal(state) || row.finished_at === null) return [];
    const since = Math.max(row.finished_at, row.imported_at ?? 0);
    const old = oldest !== null && since < oldest;
    if (since > youngest || !(old || (upTo !== null && row.id <= upTo))) return [];
    return [
      {
        run: parseId('run', row.id),
        state,
        finishedAt: row.finished_at,
        lastSeq: row.head_seq,
        lastDigest: row.head_digest,
        reason: old ? 'age' : 'count',
      },
    ];
  });
  return { past, next: rows.length < pageSize ? null : (rows.at(-1)?.id ?? null) };
}

async function findNeeded(
  blockers: readonly RunBlocker[],
  past: readonly PastRun[],
): Promise<ReadonlyMap<RunId, string>> {
  const runs = past.map(({ run }) => run);
  const needed = new Map<RunId, string>();
  if (runs.length === 0) return needed;
  for (const blocker of blockers) {
    for (const [run, why] of await blocker.blocks(runs)) {
      const before = needed.get(run);
      needed.set(run, before === undefined ? why : `${before}; ${why}`);
    }
  }
  return needed;
}

/** For each of the runs those that share its receipts or come from it. */
async function findSharers(store: Store, past: readonly PastRun[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const sharers = new Map<string, Set<string>>();
  if (past.length === 0) return sharers;
  const runs = past.map(({ run }) => run);
  const rows = await store.read(async (tx) => [
    ...(await referring(tx, 'shared_receipt', runs)),
    ...(await referring(tx, 'run_link', runs)),
  ]);
  for (const { run, origin_run } of rows) {
    const found = sharers.get(origin_run) ?? new Set<string>();
    sharers.set(origin_run, found.add(run));
  }
  return sharers;
}

function referring(tx: ReadTx, table: 'shared_receipt' | 'run_link', runs: readonly RunId[]) {
  return tx.db
    .selectFrom(table)
    .select(['run', 'origin_run'])
    .distinct()
    .where('origin_run', 'in', runs)
    .whereRef('run', '<>', 'origin_run')
    .execute();
}

function sharedBy(sharers: ReadonlySet<string> | undefined, gone: ReadonlySet<string>): string | undefined {
  const left = [...(sharers ?? [])].filter((run) => !gone.has(run)).toSorted();
  if (left.length === 0) return undefined;
  const more = left.length > 3 ? ` and ${left.length - 3} more` : '';
  return `${left.slice(0, 3).join(', ')}${more} came from it and is kept`;
}

async function countRuns(store: Store): Promise<number> {
  const row = await store.read((tx) =>
    tx.db
      .selectFrom('run')
      .select((select) => select.fn.countAll().as('count'))
      .executeTakeFirst(),
  );
  return Number(row?.count ?? 0);
}

function assertLimits({ runDays, runCount }: RunRetention): void {
  for (const [name, limit] of Object.entries({ runDays, runCount })) {
    if (limit === null || (Number.isSafeInteger(limit) && limit >= 1)) continue;
    throw new WaybillError('invalid_argument', `retention.${name} is ${limit}: it must be a whole number, at least 1`, {
      hint: 'Give null to keep all runs.',
    });
  }
}
