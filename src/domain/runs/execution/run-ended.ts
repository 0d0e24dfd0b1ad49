import { outboxStatement } from '../../../platform/journal/outbox.ts';
import type { OperationStatement } from '../../../platform/store/store.ts';
import type { Engine } from '../engine.ts';
import * as statements from '../ledger/statements.ts';
import type { TerminalState } from '../states.ts';
import type { RunFacts } from './execution.ts';

/**
 * The rows that belong into the commit of a terminal event: nothing of the run is open any more, what was asked
 * of it and not done has changed nothing, and the news leaves the system under the id of that event.
 */
export function runEnded(
  engine: Engine,
  run: Pick<RunFacts, 'runId' | 'workflow' | 'tasks'>,
  terminal: { readonly state: TerminalState; readonly code: string | null; readonly seq: number },
): OperationStatement[] {
  const { runId, workflow, tasks } = run;
  return [
    { sql: statements.deleteAllPending, rows: [[runId]] },
    { sql: statements.deleteProcesses, rows: [[runId]] },
    { sql: statements.finishRequests, rows: [[engine.clock.now(), runId]] },
    outboxStatement([
      {
        aggregate: runId,
        seq: terminal.seq,
        type: `dev.waybill.run.${terminal.state}`,
        payload: { run: runId, workflow, tasks, state: terminal.state, code: terminal.code },
        at: engine.clock.now(),
      },
    ]),
  ];
}
