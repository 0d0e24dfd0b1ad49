import type { RunState } from '../../contract/evidence.ts';
import type { RunId } from '../../contract/ids.ts';
import { formatTimeMicros, type Micros } from '../../platform/clock/clock.ts';
import { runState } from './run-states.ts';
import { findRun, type Looking } from './show-run.ts';

/** A run in short: what its own row tells. */
export type RunOutline = Pick<
  RunState,
  | 'runId'
  | 'workflow'
  | 'tool'
  | 'tasks'
  | 'state'
  | 'interrupted'
  | 'reason'
  | 'output'
  | 'steps'
  | 'lastSeq'
  | 'actor'
  | 'createdAt'
  | 'startedAt'
  | 'finishedAt'
>;

/** Reads one row. @throws WaybillError `run_not_found` */
export async function outlineRun(engine: Looking, runId: RunId): Promise<RunOutline> {
  const row = await findRun(engine.store, runId);
  return runState(row, { pending: [], links: [], started: undefined }, { host: engine.host, now: engine.clock.now() });
}

/** The same of a run that was made this moment, and perhaps begun, without asking the store what it was just given. */
export function outlineOfNew(made: {
  readonly runId: RunId;
  readonly workflow: string;
  readonly tool: string | null;
  readonly tasks: readonly string[];
  readonly actor: string;
  readonly createdAt: Micros;
  readonly begun: boolean;
}): RunOutline {
  const { createdAt, tasks, begun, ...rest } = made;
  return {
    ...rest,
    tasks: [...tasks],
    state: begun ? 'running' : 'queued',
    interrupted: false,
    reason: null,
    output: null,
    steps: 0,
    lastSeq: begun ? 2 : 1,
    createdAt: formatTimeMicros(createdAt),
    startedAt: begun ? formatTimeMicros(createdAt) : null,
    finishedAt: null,
  };
}
