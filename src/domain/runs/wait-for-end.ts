import { z } from 'zod';
import type { RunId } from '../../contract/ids.ts';
import type { Store } from '../../platform/store/store.ts';
import { sql } from './ledger/statements.ts';
import { missingRun } from './load-run.ts';
import { parseRows } from './rows.ts';
import { isTerminal, readState } from './states.ts';

const selectState = sql('SELECT state FROM run WHERE id = ?');
const stateRow = z.object({ state: z.string() });
/** Hints can be missing; the store is looked at this often whatever they say. */
const lookEveryMs = 1_000;

/**
 * Resolves when the run is finished, after `timeoutMs`, or when told to stop; which of them, the run's state says.
 * @throws WaybillError `run_not_found`, `run_removed`
 */
export async function waitForEnd(
  store: Store,
  runId: RunId,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  // Before the first look: what changes after a look gives a hint that the next wait finds. Only the end gives this one.
  using news = store.hints.subscribe(`end:${runId}`);
  for (;;) {
    const [row] = parseRows(stateRow, await store.select(selectState, [runId]));
    if (row === undefined) throw await missingRun(store, runId);
    const left = deadline - performance.now();
    if (isTerminal(readState(row.state)) || signal.aborted || left <= 0) return;
    await news.next(Math.min(left, lookEveryMs), signal);
  }
}
