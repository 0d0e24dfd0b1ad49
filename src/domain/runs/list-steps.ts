import { WaybillError } from '../../contract/errors.ts';
import type { Receipt } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import type { PendingStep } from './execution/replay.ts';
import { pendingOf, readRunRow } from './load-run.ts';
import { sharedReceipts } from './shared-receipts.ts';
import type { Looking } from './show-run.ts';
import { isTerminal, readState } from './states.ts';
import { parseReceipt } from './steps/receipt.ts';

export interface StepPage {
  /** Finished steps in order, those shared with an earlier run first. */
  readonly receipts: readonly { readonly receipt: Receipt; readonly shared: boolean }[];
  /** What is under way; only on the last page. */
  readonly pending: readonly PendingStep[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

/**
 * The steps of a run. Receipts are only ever added at their end, so a cursor stays good while the run goes on.
 * @param filter.limit receipts a page, 1 to 1000
 * @throws WaybillError `run_not_found`; `invalid_argument` for a cursor that is none
 */
export async function listSteps(
  engine: Pick<Looking, 'store'>,
  runId: RunId,
  filter: { readonly limit: number; readonly cursor?: string | null },
): Promise<StepPage> {
  const from = offsetOf(filter.cursor ?? null);
  const until = from + filter.limit;
  return engine.store.read(async (tx) => {
    const run = await readRunRow(tx, runId);
    const shared = await sharedReceipts(tx, runId);
    const all = shared.length + run.receipts;
    const own =
      until <= shared.length
        ? []
        : await tx.db
            .selectFrom('receipt')
            .select('body')
            .where('run', '=', runId)
            .where('number', '>', Math.max(from - shared.length, 0))
            .where('number', '<=', until - shared.length)
            .orderBy('number')
            .execute();
    const open =
      until < all || isTerminal(readState(run.state))
        ? []
        : await tx.db.selectFrom('pending_step').selectAll().where('run', '=', runId).orderBy('first_seq').execute();
    return {
      receipts: [
        ...shared.slice(from, until).map(({ body }) => ({ receipt: parseReceipt(body), shared: true })),
        ...own.map(({ body }) => ({ receipt: parseReceipt(body), shared: false })),
      ],
      pending: open.map(pendingOf),
      nextCursor: until < all ? String(until) : null,
    };
  });
}

function offsetOf(cursor: string | null): number {
  if (cursor === null) return 0;
  if (/^[1-9]\d{0,8}$/.test(cursor)) return Number(cursor);
  throw new WaybillError('invalid_argument', 'this is no cursor of a list of steps', {
    hint: 'Give `nextCursor` of the page before, unchanged.',
  });
}
