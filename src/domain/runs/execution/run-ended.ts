import type { OperationStatement } from '../../../platform/store/store.ts';
import * as statements from '../ledger/statements.ts';
import type { TerminalState } from '../states.ts';
import type { Execution } from './execution.ts';

/** The rows that belong into the commit of a terminal event: nothing of the run is open any more. */
export function runEnded(execution: Execution, _state: TerminalState, _code: string | null): OperationStatement[] {
  const { runId } = execution.run;
  return [
    { sql: statements.deleteAllPending, rows: [[runId]] },
    { sql: statements.deleteProcesses, rows: [[runId]] },
  ];
}
