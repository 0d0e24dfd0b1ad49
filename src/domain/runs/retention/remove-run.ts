import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import { formatTime, type Micros } from '../../../platform/clock/clock.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Store, WriteTx } from '../../../platform/store/store.ts';
import type { TerminalState } from '../states.ts';
import type { RemovalReason } from './removed-run.ts';

/** A finished run, as retention looks at it. */
export interface FinishedRun {
  readonly run: RunId;
  readonly state: TerminalState;
  readonly finishedAt: Micros;
  readonly lastSeq: number;
  readonly lastDigest: string;
}

/**
 * Removes one finished run whole, in one transaction with its row in `removed_run` and its audit record: after a crash
 * all of it is there, or nothing. The tables refuse it for a run that is not finished, that finished less than a day
 * ago, or whose receipts another run shares.
 * @returns false when it was gone already
 * @throws WaybillError `store_immutable` when the tables refuse it
 */
export async function removeRun(
  store: Store,
  run: FinishedRun,
  why: { readonly reason: RemovalReason; readonly actor: string; readonly now: Micros },
): Promise<boolean> {
  const { reason, actor, now } = why;
  try {
    // The lock: of two passes at once the second finds the run gone.
    await store.locked({ table: 'run', key: { id: run.run } }, (tx) =>
      commit(tx, {
        change: () => deleteRun(tx, run, { reason, now }),
        audit: [
          {
            at: now,
            actor,
            action: 'run.removed',
            resource: run.run,
            outcome: 'succeeded',
            reason,
            details: { state: run.state, finishedAt: formatTime(run.finishedAt), lastSeq: run.lastSeq },
          },
        ],
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'store_row_missing') return false;
    throw error;
  }
}

async function deleteRun(
  tx: WriteTx,
  { run, state, finishedAt, lastSeq, lastDigest }: FinishedRun,
  { reason, now }: { readonly reason: RemovalReason; readonly now: Micros },
): Promise<void> {
  const { db } = tx;
  // Open for this run's age and no younger one, and only until this transaction ends.
  await db
    .insertInto('retention_window')
    .values({ table_name: 'run', cut_off: finishedAt + 1 })
    .execute();
  const removed = { run, state, last_seq: lastSeq, last_digest: lastDigest, finished_at: finishedAt };
  await db
    .insertInto('removed_run')
    .values({ ...removed, removed_at: now, reason })
    .execute();
  const origins = await db
    .selectFrom('shared_receipt')
    .select('origin_run')
    .distinct()
    .where('run', '=', run)
    .execute();
  await db.deleteFrom('shared_receipt').where('run', '=', run).execute();
  for (const { origin_run } of origins) await deleteUnneeded(tx, origin_run);
  await db.deleteFrom('receipt').where('run', '=', run).execute();
  await db.deleteFrom('run_event').where('run', '=', run).execute();
  await db.deleteFrom('run_input').where('run', '=', run).execute();
  await db.deleteFrom('run_link').where('run', '=', run).execute();
  await db.deleteFrom('pending_step').where('run', '=', run).execute();
  await db.deleteFrom('run_process').where('run', '=', run).execute();
  await db.deleteFrom('run_request').where('run', '=', run).execute();
  await db.deleteFrom('run_queue').where('run', '=', run).execute();
  await db.deleteFrom('run').where('id', '=', run).execute();
  await db.deleteFrom('retention_window').where('table_name', '=', 'run').execute();
}

/** The receipts of a run that is not here and came along with a run that shared them, unless another shares them still. */
async function deleteUnneeded(tx: WriteTx, origin: string): Promise<void> {
  const here = await tx.db.selectFrom('run').select('id').where('id', '=', origin).executeTakeFirst();
  if (here !== undefined) return;
  await tx.db
    .deleteFrom('receipt')
    .where('run', '=', origin)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('shared_receipt')
            .select('shared_receipt.run')
            .whereRef('shared_receipt.origin_run', '=', 'receipt.run')
            .whereRef('shared_receipt.number', '=', 'receipt.number'),
        ),
      ),
    )
    .execute();
}
