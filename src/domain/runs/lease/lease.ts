import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { Clock, Micros } from '../../../platform/clock/clock.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import * as statements from '../ledger/statements.ts';
import type { HostPort } from '../ports.ts';
import { type Holder, holderText, parseHolder } from './holder.ts';

/** How long a lease lasts without renewal; a runner on another machine waits this long for a dead holder. */
export const leaseMicros = 15_000_000;

/**
 * Who lets go of a run because of an error has this long to say what becomes of it in the queue. Without it another
 * worker would take the run in between, and meet the same error, again and again.
 */
export const coolingMicros = 5_000_000;

export interface LeaseRow {
  readonly id: RunId;
  readonly epoch: number;
  readonly holder: string | null;
  readonly lease_expires_at: number | null;
}

/**
 * The living holder of a run's lease, or null when it is free to take: none, its process is dead, or, where that cannot
 * be asked, its lease expired. A living process on this machine that was late (a machine that slept) keeps its lease for
 * one more length of it; one that is later than that hangs or has let go, and is fenced off by the epoch.
 */
export function livingHolder(row: LeaseRow, host: HostPort, now: Micros): Holder | null {
  const holder = parseHolder(row.holder);
  if (holder === null) return null;
  switch (host.liveness(holder)) {
    case 'alive':
      return (row.lease_expires_at ?? 0) + leaseMicros > now ? holder : null;
    case 'dead':
      return null;
    case 'unknown':
      return (row.lease_expires_at ?? 0) > now ? holder : null;
  }
}

export function leaseHeld(run: RunId, holder: Holder): WaybillError {
  return new WaybillError(
    'lease_held',
    `run ${run} is held by process ${holder.pid} on ${holder.host} since ${formatTime(holder.since)}`,
    {
      hint: `Follow it with: waybill events ${run} --follow. Cancel it with: waybill cancel ${run}`,
      details: { run, pid: holder.pid, host: holder.host },
    },
  );
}

/**
 * Takes the lease of a run that nobody living holds. The epoch is checked in the statement, so of two that try
 * at once one wins; whoever held it before is fenced off from then on.
 * @returns the new epoch
 * @throws WaybillError `lease_held`
 */
export async function acquireLease(store: Store, clock: Clock, host: HostPort, row: LeaseRow): Promise<number> {
  const now = clock.now();
  const living = livingHolder(row, host, now);
  if (living !== null) throw leaseHeld(row.id, living);
  // In no lane: of two that try at once in one process the second is to hear that it lost, not that the first did.
  await store.submit({
    statements: [
      {
        sql: statements.takeLease,
        rows: [[holderText(host.self, now), now + leaseMicros, row.id, row.epoch]],
        expectChanges: 1,
        refuse: () =>
          new WaybillError('lease_held', `run ${row.id} was taken by another process at the same moment`, {
            hint: `Look who holds it: waybill show ${row.id}`,
          }),
      },
    ],
  });
  return row.epoch + 1;
}
