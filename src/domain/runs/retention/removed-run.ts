import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import { formatTime, type Micros } from '../../../platform/clock/clock.ts';
import type { PreparedSql, ReadTx, Store } from '../../../platform/store/store.ts';
import type { TerminalState } from '../states.ts';
import type { RemovedRunTable } from './tables.ts';

/** What the store still says of a run that retention removed. */
export interface RemovedRun {
  readonly run: RunId;
  readonly state: TerminalState;
  /** `seq` of its terminal event. */
  readonly lastSeq: number;
  /** Digest of its terminal event: evidence that was exported before can still be told from other. */
  readonly lastDigest: string;
  readonly finishedAt: Micros;
  readonly removedAt: Micros;
  /** `age`: older than `runDays`; `count`: not among the newest `runCount`. */
  readonly reason: RemovalReason;
}

export type RemovalReason = RemovedRunTable['reason'];

const selectRemoved: PreparedSql = {
  sqlite: 'SELECT * FROM removed_run WHERE run = ?',
  postgres: 'SELECT * FROM removed_run WHERE run = $1',
};
const integer = z.union([z.int(), z.bigint().transform(Number)]);
const removedRow = z.object({
  state: z.enum(['succeeded', 'failed', 'canceled']),
  last_seq: integer,
  last_digest: z.string(),
  finished_at: integer,
  removed_at: integer,
  reason: z.enum(['age', 'count']),
});

/** What retention left of a run; null when it removed no run of this id. */
export async function removedRun(store: Store, runId: RunId): Promise<RemovedRun | null> {
  const [found] = await store.select(selectRemoved, [runId]);
  return found === undefined ? null : shown(runId, removedRow.parse(found));
}

/** As `removedRun`, inside a scope. */
export async function readRemovedRun(tx: ReadTx, runId: RunId): Promise<RemovedRun | null> {
  const found = await tx.db.selectFrom('removed_run').selectAll().where('run', '=', runId).executeTakeFirst();
  return found === undefined ? null : shown(runId, removedRow.parse(found));
}

function shown(runId: RunId, row: z.output<typeof removedRow>): RemovedRun {
  return {
    run: runId,
    state: row.state,
    lastSeq: row.last_seq,
    lastDigest: row.last_digest,
    finishedAt: row.finished_at,
    removedAt: row.removed_at,
    reason: row.reason,
  };
}

/** The error for whoever asks for a run that retention removed; `details.lastSeq` is what was its last event. */
export function runRemoved(run: Pick<RemovedRun, 'run' | 'state' | 'lastSeq' | 'removedAt' | 'reason'>): WaybillError {
  const removedAt = formatTime(run.removedAt);
  return new WaybillError('run_removed', `run ${run.run} (${run.state}) was removed by retention at ${removedAt}`, {
    hint: 'How long runs are kept: `retention` in waybill.config.ts. Evidence that was exported still verifies.',
    details: { run: run.run, state: run.state, lastSeq: run.lastSeq, removedAt, reason: run.reason },
  });
}
