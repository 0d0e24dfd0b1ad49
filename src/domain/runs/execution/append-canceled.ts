import { WaybillError } from '../../../contract/errors.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Engine } from '../engine.ts';
import type { EventDraft } from '../ledger/event-body.ts';
import type { LedgerWriter } from '../ledger/ledger-writer.ts';
import * as statements from '../ledger/statements.ts';
import type { KillReport } from '../ports.ts';
import type { RunFacts } from './execution.ts';
import { runEnded } from './run-ended.ts';

export interface Cancel {
  /** Id of the request that asked for it. */
  readonly request: string;
  readonly actor: string;
  readonly comment: string | null;
  /** What is known of the processes that were ended for it. */
  readonly gone: readonly KillReport[];
  /** Events of the same commit that come before. */
  readonly before: readonly EventDraft[];
}

/**
 * Ends a run as canceled, by whoever holds its lease; the event says how it is known that nothing of it lives.
 * @throws WaybillError `containment_failed` when something does: then the run is not canceled
 */
export async function appendCanceled(
  engine: Engine,
  run: RunFacts,
  ledger: LedgerWriter,
  cancel: Cancel,
): Promise<void> {
  const { request, actor, comment, gone, before } = cancel;
  const how = gone.some((report) => report.how === 'swept') ? 'swept' : engine.processes.containment.how;
  const left = gone.reduce((sum, report) => sum + report.left, 0);
  if (left > 0) {
    // Cancel means dead: whoever asks again tries again.
    throw new WaybillError('containment_failed', `${left} processes of the run cannot be ended`, {
      hint: `Look for processes with WAYBILL_MARKER=${run.runId} and end them, then cancel again.`,
      details: { left },
    });
  }
  await ledger.append({
    events: [
      ...before,
      { type: 'cancel.requested', data: { actor, comment } },
      { type: 'run.canceled', data: { actor, processes: { how, ended: gone.length, left } } },
    ],
    also: [
      { sql: statements.finishRequest, rows: [[engine.clock.now(), 'canceled', request]] },
      ...runEnded(engine, run, { state: 'canceled', code: 'run_canceled', seq: ledger.nextSeq + before.length + 1 }),
    ],
    change: {
      kind: 'finish',
      state: 'canceled',
      reason: canonicalJson({ code: 'run_canceled', message: `canceled by ${actor}` }),
      output: null,
    },
  });
}
