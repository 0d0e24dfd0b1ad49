import { WaybillError } from '../../../contract/errors.ts';
import type { RunId } from '../../../contract/ids.ts';
import type { Engine } from '../engine.ts';

/** A run whose lease is ours, and that nothing was done for yet: hand it to `Runs.work`. */
export interface ClaimedRun {
  readonly runId: RunId;
  readonly epoch: number;
  readonly tool: string | null;
  /** Where the run was asked for, so that the work is part of the same tree. */
  readonly traceparent: string | null;
  /** How often working on it ended in an error of the system, one after the other. */
  readonly failures: number;
}

/**
 * Takes the leases of runs that are ready: queued, handed over, orphaned by a dead worker, or woken; by priority, then
 * age. Of several workers that claim at once, in one process or many, each run goes to one.
 * @param limits.tools how many runs of a tool may be at work at once on the whole store
 */
export async function claimRuns(
  _engine: Engine,
  _limits: { readonly most: number; readonly tools: ReadonlyMap<string, number> },
): Promise<readonly ClaimedRun[]> {
  throw new WaybillError('internal', 'not built yet');
}
