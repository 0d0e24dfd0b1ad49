import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import { currentTraceparent } from '../../../platform/correlation/correlation.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { Engine } from '../engine.ts';
import { finishedError } from '../finished-error.ts';
import { leaseHeld, livingHolder } from '../lease/lease.ts';
import { readRunRow } from '../load-run.ts';
import { isTerminal, readState } from '../states.ts';

/**
 * Gives a run that is not finished to the workers: one interrupted, parked, resting, or begun on a command line.
 * @throws WaybillError `run_not_found`, `invalid_transition` when it is finished, `lease_held` when somebody works on it
 */
export async function enqueueRun(
  engine: Engine,
  runId: RunId,
  { actor, acceptDrift }: { readonly actor: string; readonly acceptDrift: boolean },
): Promise<void> {
  const { host, clock, store } = engine;
  await store
    .locked({ table: 'run', key: { id: runId } }, async (tx) => {
      const row = await readRunRow(tx, runId);
      const state = readState(row.state);
      if (isTerminal(state)) throw finishedError(runId, state);
      const holder = livingHolder({ ...row, id: runId }, host, clock.now());
      if (holder !== null) throw leaseHeld(runId, holder);
      const ready = {
        state: 'ready',
        due: null,
        failures: 0,
        parked: null,
        actor,
        accept_drift: acceptDrift ? 1 : 0,
        traceparent: currentTraceparent(),
      } as const;
      const change = async () => {
        await tx.db
          .insertInto('run_queue')
          .values({ run: runId, priority: 0, tool: null, ...ready })
          .onConflict((conflicting) => conflicting.column('run').doUpdateSet(ready))
          .execute();
      };
      const audit = { at: clock.now(), actor, action: 'run.enqueued', resource: runId, outcome: 'succeeded' } as const;
      await commit(tx, { change, audit: [audit] });
    })
    .catch((error: unknown) => {
      if (!(error instanceof WaybillError) || error.code !== 'store_row_missing') throw error;
      return store.read((tx) => readRunRow(tx, runId)).then(() => Promise.reject(error));
    });
  store.hints.announce('queue');
}
