import type { Clock, Micros } from '../../../platform/clock/clock.ts';
import type { Store } from '../../../platform/store/store.ts';
import type { Registry } from '../registry.ts';

/** What the collector looks at at all. */
export interface GarbageLimits {
  /** Nothing that was put, touched, added or recorded at this time or later is looked at. */
  readonly untouchedSince: Micros;
  /** As `untouchedSince`, for rows of `snapshot`, which are touched only every ten minutes. */
  readonly unrecordedSince: Micros;
  /** The bytes of versions that were tombstoned at this time or later are kept. */
  readonly tombstonedSince: Micros;
}

const hourInMicros = 3_600_000_000;
const dayInMicros = 24 * hourInMicros;
/** How long after its end a lease is still taken for held: its holder may be about to renew it. */
const leaseSlack = 60_000_000;
/** As in the trigger `snapshot_again`. */
const recordedEvery = 600_000_000;
/** The clock of a file system may lag behind ours. */
const fileClockSlack = 60_000_000;

/**
 * Everything that is referred to was put or touched first, and the reference committed within the grace time: so what
 * was last touched before it has all its references in the store. A step at work may take longer than that between
 * keeping its files and its receipt; what came since the oldest such step began is kept too.
 */
export async function garbageLimits({
  store,
  clock,
  settings,
}: Pick<Registry, 'store' | 'clock' | 'settings'>): Promise<GarbageLimits> {
  const now = clock.now();
  const oldest = await oldestStepAtWork(store, clock);
  const grace = now - Math.round(settings.graceHours * hourInMicros);
  const untouchedSince = Math.min(grace, oldest === null ? grace : oldest - fileClockSlack);
  return {
    untouchedSince,
    unrecordedSince: untouchedSince - recordedEvery,
    tombstonedSince: now - settings.tombstoneDays * dayInMicros,
  };
}

/** When the oldest of the steps began that some living process is working on; null when none is. */
async function oldestStepAtWork(store: Store, clock: Clock): Promise<Micros | null> {
  const alive = clock.now() - leaseSlack;
  const row = await store.read((tx) =>
    tx.db
      .selectFrom('pending_step')
      .innerJoin('run', 'run.id', 'pending_step.run')
      .select((each) => each.fn.min('pending_step.started_at').as('oldest'))
      .where('pending_step.waiting_for', 'is', null)
      .where('run.state', 'in', ['queued', 'running', 'waiting'])
      .where('run.holder', 'is not', null)
      .where('run.lease_expires_at', '>', alive)
      .executeTakeFirst(),
  );
  return row?.oldest === null || row?.oldest === undefined ? null : Number(row.oldest);
}
