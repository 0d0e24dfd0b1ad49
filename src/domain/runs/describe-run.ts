import type { Receipt, RunState } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import { isJsonObject, type JsonValue } from '../../contract/json.ts';
import { displayStep } from './keys/step-key.ts';
import { sql } from './ledger/statements.ts';
import { type Looking, listReceipts, showRun } from './show-run.ts';

/** How a process ended: one of the two says it. */
export interface CommandEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** All that is known of a run but its ledger. */
export interface RunDescription {
  readonly state: RunState;
  /** Its place in the queue; null once no worker is to work on it, and before one was asked to. */
  readonly queue: { readonly priority: number; readonly parked: string | null; readonly failures: number } | null;
  /** How the last command of the run ended; null when it had none. */
  readonly exit: CommandEnd | null;
  readonly artifacts: readonly (Receipt['artifacts'][number] & { readonly step: string })[];
}

/** @throws WaybillError `run_not_found` */
export async function describeRun(engine: Looking, runId: RunId): Promise<RunDescription> {
  const state = await showRun(engine, runId);
  const receipts = await listReceipts(engine, runId);
  const queue = await engine.store.read((tx) =>
    tx.db
      .selectFrom('run_queue')
      .select(['priority', 'parked', 'failures'])
      .where('run', '=', runId)
      .executeTakeFirst(),
  );
  return {
    state,
    queue: queue ?? null,
    exit: await lastEnd(
      engine,
      receipts.map(({ receipt }) => receipt),
    ),
    artifacts: receipts.flatMap(({ receipt }) =>
      receipt.artifacts.map((artifact) => ({ ...artifact, step: displayStep(receipt.step) })),
    ),
  };
}

async function lastEnd(engine: Pick<Looking, 'store'>, receipts: readonly Receipt[]): Promise<CommandEnd | null> {
  for (const receipt of receipts.toReversed()) {
    const end = endOf(receipt);
    if (end !== null) return end;
    const good = receipt.action === 'tool' && receipt.outcome === 'succeeded';
    if (good && (await hadProcess(engine, receipt))) return { code: 0, signal: null };
  }
  return null;
}

/** Of a failed step its failure says it, of a good command its outputs. */
function endOf({ action, outcome, failure, outputs }: Receipt): CommandEnd | null {
  const { exitCode, signal } = outcome === 'failed' ? (failure?.details ?? {}) : objectOf(outputs);
  if (outcome === 'failed' || action === 'exec') {
    const code = typeof exitCode === 'number' ? exitCode : null;
    const by = typeof signal === 'string' ? signal : null;
    return code === null && by === null ? null : { code, signal: by };
  }
  return null;
}

const selectProcessEnd = sql(
  "SELECT seq FROM run_event WHERE run = ? AND seq BETWEEN ? AND ? AND type = 'process.ended' LIMIT 1",
);

/**
 * Whether a good call of a tool was a command, which then ended with 0: a tool's outputs are its own, so only the
 * events that came with its receipt tell.
 */
async function hadProcess({ store }: Pick<Looking, 'store'>, { runId, events }: Receipt): Promise<boolean> {
  return (await store.select(selectProcessEnd, [runId, events.first, events.last])).length > 0;
}

function objectOf(value: JsonValue | undefined): { readonly [key: string]: JsonValue } {
  return value !== undefined && isJsonObject(value) ? value : {};
}
