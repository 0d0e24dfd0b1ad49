import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import type { OperationStatement, SqlRow } from '../../../platform/store/store.ts';
import type { BegunRun } from '../begin-run.ts';
import type { Engine } from '../engine.ts';
import { holderText, parseHolder } from '../lease/holder.ts';
import { leaseMicros, livingHolder } from '../lease/lease.ts';
import * as statements from '../ledger/statements.ts';
import { parseRows } from '../rows.ts';
import * as queue from './queue-statements.ts';

/** A run whose lease is ours, and that nothing was done for yet: hand it to `Runs.work`. */
export interface ClaimedRun {
  readonly runId: RunId;
  readonly epoch: number;
  readonly tool: string | null;
  /** Where the run was asked for, so that the work is part of the same tree. */
  readonly traceparent: string | null;
  /** How often working on it ended in an error of the system, or with the death of its worker, one after the other. */
  readonly failures: number;
  /** Who asked to go on with it; null when the worker does so by itself. */
  readonly actor: string | null;
  readonly acceptDrift: boolean;
  /** The holder that died with it, as the column had it; null when nobody held it. */
  readonly orphanedBy: string | null;
  /** Set when it was begun in the commit that made it. */
  readonly begun?: BegunRun;
}

const integer = z.union([z.int(), z.bigint().transform(Number)]);
const placeRow = z.object({
  run: z.string(),
  priority: integer,
  tool: z.string().nullable(),
  traceparent: z.string().nullable(),
  failures: integer,
  actor: z.string().nullable(),
  accept_drift: integer,
  epoch: integer,
  receipts: integer,
});
type Place = z.output<typeof placeRow> & {
  /** It was at work when its worker died, maybe because of it: `failures` counts that already. */
  readonly outlived?: boolean;
  readonly holder?: string | null;
};
const heldRow = placeRow.extend({ holder: z.string().nullable(), lease_expires_at: integer.nullable() });
const countRow = z.object({ tool: z.string(), count: integer });

export interface ClaimLimits {
  readonly most: number;
  /** How many runs of a tool may be at work at once on the whole store. */
  readonly tools: ReadonlyMap<string, number>;
}

/** Others may have been faster with what was looked at; what is left is looked at again, but not for ever. */
const mostRounds = 4;

/**
 * Takes the leases of runs that are ready: queued, handed over, orphaned by a dead worker, or woken; by priority, then
 * age. Of several workers that claim at once, in one process or many, each run goes to one.
 * @throws WaybillError what the store says, when nothing could be claimed for it
 */
export async function claimRuns(engine: Engine, limits: ClaimLimits): Promise<readonly ClaimedRun[]> {
  const claimed: ClaimedRun[] = [];
  for (let round = 1; round <= mostRounds && claimed.length < limits.most; round++) {
    try {
      const candidates = await ready(engine, { ...limits, most: limits.most - claimed.length });
      const claims = await Promise.allSettled(candidates.map((place) => claim(engine, place, limits.tools)));
      for (const result of claims) {
        if (result.status === 'fulfilled' && result.value !== null) claimed.push(result.value);
      }
      const failed = claims.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      if (claims.every((result) => result.status === 'fulfilled' && result.value !== null)) return claimed;
    } catch (error) {
      // What is ours already must be worked on, whatever became of the others; the next claim meets the error again.
      if (claimed.length > 0) return claimed;
      throw error;
    }
  }
  return claimed;
}

/** When a resting run is due next; null when none is by itself. Microseconds. */
export async function nextDue(engine: Pick<Engine, 'store'>): Promise<number | null> {
  const [row] = parseRows(z.object({ due: integer.nullable() }), await engine.store.select(queue.selectNextDue, []));
  return row?.due ?? null;
}

/** The runs that may be taken, best first; no more of a limited tool than it has free places. */
async function ready(engine: Engine, { most, tools }: ClaimLimits): Promise<Place[]> {
  const { store, clock } = engine;
  const now = clock.now();
  // Those of a tool that is at its limit are passed over, so more are looked at than can be taken.
  const look = tools.size === 0 ? most : most + 1000;
  const [waiting, due, held] = [
    places(await store.select(queue.selectReady, [look])),
    places(await store.select(queue.selectDue, [now, look])),
    parseRows(heldRow, await store.select(queue.selectHeld, [])),
  ];
  const orphans = held.filter((row) => isOrphan(engine, row, now)).map((row) => withDeath(engine, row));
  const free = new Map(tools);
  if (tools.size > 0) {
    const busy = parseRows(countRow, await store.select(queue.countHeldByTool, []));
    for (const { tool, count } of busy) free.set(tool, (free.get(tool) ?? Number.POSITIVE_INFINITY) - count);
    for (const { tool } of orphans) if (tool !== null) free.set(tool, (free.get(tool) ?? 0) + 1);
  }
  const chosen: Place[] = [];
  for (const place of [...orphans, ...waiting, ...due].sort(byPriority)) {
    if (chosen.length === most) break;
    const { tool } = place;
    const left = tool === null || !tools.has(tool) ? Number.POSITIVE_INFINITY : (free.get(tool) ?? 0);
    if (left < 1) continue;
    if (tool !== null) free.set(tool, left - 1);
    chosen.push(place);
  }
  return chosen;
}

function places(rows: readonly SqlRow[]): readonly Place[] {
  return parseRows(placeRow, rows);
}

function byPriority(a: Place, b: Place): number {
  return b.priority - a.priority || (a.run < b.run ? -1 : 1);
}

/** Nobody works on it: its holder is dead, or is this very runner, which has let go of it without being able to say so. */
function isOrphan(engine: Engine, row: z.output<typeof heldRow>, now: number): boolean {
  const runId = parseId('run', row.run);
  const { holder, epoch, lease_expires_at } = row;
  if (parseHolder(holder)?.instance === engine.host.self.instance) {
    return (lease_expires_at ?? 0) <= now && !engine.leases.keeps(runId);
  }
  return livingHolder({ id: runId, epoch, holder, lease_expires_at }, engine.host, now) === null;
}

/**
 * A run that kills its worker says nothing any more, so the next claim counts it: a death is a failure in a row, unless
 * the run got a receipt more while that worker had it. Otherwise it would end one daemon after the other, for ever.
 */
function withDeath(engine: Engine, row: z.output<typeof heldRow>): Place {
  const holder = parseHolder(row.holder);
  if (holder === null || holder.instance === engine.host.self.instance) return row;
  const progress = row.receipts > (holder.receipts ?? 0);
  return { ...row, failures: (progress ? 0 : row.failures) + 1, outlived: true };
}

/** Null when another worker was faster, or the tool's last place was taken meanwhile. */
async function claim(engine: Engine, place: Place, tools: ReadonlyMap<string, number>): Promise<ClaimedRun | null> {
  const { run, tool, traceparent, failures, actor, epoch, receipts, outlived = false, holder = null } = place;
  const runId = parseId('run', run);
  const now = engine.clock.now();
  const lease = [holderText(engine.host.self, now, receipts), now + leaseMicros, run, epoch];
  const limit = tool === null ? undefined : tools.get(tool);
  const taking: OperationStatement =
    limit === undefined
      ? { sql: statements.takeLease, rows: [lease] }
      : { sql: queue.takeLimited, rows: [[...lease, tool, limit]] };
  const lock: OperationStatement[] = limit === undefined ? [] : [{ sql: queue.lockTool, rows: [[tool]] }];
  const counting: OperationStatement[] = outlived ? [{ sql: queue.countFailures, rows: [[failures, run]] }] : [];
  try {
    await engine.store.submit({
      statements: [...lock, { ...taking, expectChanges: 1, refuse: () => new Taken() }, ...counting],
    });
  } catch (error) {
    if (error instanceof Taken) return null;
    throw error;
  }
  const acceptDrift = place.accept_drift === 1;
  return { runId, epoch: epoch + 1, tool, traceparent, failures, actor, acceptDrift, orphanedBy: holder };
}

class Taken extends WaybillError {
  constructor() {
    super('lease_held', 'another worker was faster');
  }
}
