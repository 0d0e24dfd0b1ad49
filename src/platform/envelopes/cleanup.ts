import { WaybillError } from '../../contract/errors.ts';
import type { Clock } from '../clock/clock.ts';
import type { Store } from '../store/store.ts';
import type { CleanupReport, CleanupRequest } from './error-store.ts';

const dayInMicros = 86_400_000_000;
/** Rows a transaction, so that retention never keeps the writer from others for long. */
const rowsAtOnce = 5000;

/**
 * Deletes the envelopes and spans of a workspace that are past retention. A day is 24 hours, whatever the calendar
 * says. The database itself refuses to delete anything else: see the triggers.
 * @throws WaybillError `invalid_argument`
 */
export async function cleanup(
  store: Store,
  workspaceId: string,
  clock: Clock,
  { keepDays, dryRun = false, signal }: CleanupRequest,
): Promise<CleanupReport> {
  if (!Number.isInteger(keepDays) || keepDays < 1) {
    throw new WaybillError('invalid_argument', 'retention keeps a whole number of days, at least one', {
      hint: 'Configure 90 days, or as many as you must keep.',
    });
  }
  const cutOff = clock.now() - keepDays * dayInMicros;
  const { total, old, spans, oldSpans } = await count(store, workspaceId, cutOff);
  const report = (removed: number, removedSpans: number) => ({
    cutOff,
    removed,
    kept: Math.max(total - removed, 0),
    removedSpans,
    keptSpans: Math.max(spans - removedSpans, 0),
    dryRun,
  });
  if (dryRun) return report(old, oldSpans);
  const removed = await untilNone(() => deleteEnvelopes(store, workspaceId, cutOff), signal);
  const removedSpans = await untilNone(() => deleteSpans(store, workspaceId, cutOff), signal);
  return report(removed, removedSpans);
}

function count(store: Store, workspaceId: string, cutOff: number) {
  return store.read(async (tx) => {
    const envelopes = tx.db
      .selectFrom('infra_error_events')
      .select((select) => select.fn.countAll().as('count'))
      .where('workspace_id', '=', workspaceId);
    const total = await envelopes.executeTakeFirst();
    const old = await envelopes.where('created_at', '<', cutOff).executeTakeFirst();
    const allSpans = tx.db
      .selectFrom('span')
      .select((select) => select.fn.countAll().as('count'))
      .where('workspace_id', '=', workspaceId);
    const spans = await allSpans.executeTakeFirst();
    const oldSpans = await allSpans.where('ended_at', '<', cutOff).executeTakeFirst();
    return {
      total: Number(total?.count ?? 0),
      old: Number(old?.count ?? 0),
      spans: Number(spans?.count ?? 0),
      oldSpans: Number(oldSpans?.count ?? 0),
    };
  });
}

async function untilNone(deleteSome: () => Promise<number>, signal: AbortSignal | undefined): Promise<number> {
  let sum = 0;
  while (signal?.aborted !== true) {
    const deleted = await deleteSome();
    sum += deleted;
    if (deleted < rowsAtOnce) break;
  }
  return sum;
}

function deleteEnvelopes(store: Store, workspaceId: string, cutOff: number): Promise<number> {
  return store.write(async (tx) => {
    const window = { table_name: 'infra_error_events', cut_off: cutOff };
    await tx.db.insertInto('retention_window').values(window).execute();
    const result = await tx.db
      .deleteFrom('infra_error_events')
      .where('id', 'in', (select) =>
        select
          .selectFrom('infra_error_events')
          .select('id')
          .where('workspace_id', '=', workspaceId)
          .where('created_at', '<', cutOff)
          .limit(rowsAtOnce),
      )
      .executeTakeFirst();
    await tx.db.deleteFrom('retention_window').where('table_name', '=', window.table_name).execute();
    return Number(result.numDeletedRows);
  });
}

function deleteSpans(store: Store, workspaceId: string, cutOff: number): Promise<number> {
  return store.write(async (tx) => {
    const result = await tx.db
      .deleteFrom('span')
      .where('id', 'in', (select) =>
        select
          .selectFrom('span')
          .select('id')
          .where('workspace_id', '=', workspaceId)
          .where('ended_at', '<', cutOff)
          .limit(rowsAtOnce),
      )
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  });
}
