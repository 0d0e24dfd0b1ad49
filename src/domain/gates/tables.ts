/** Rows of the gates feature. Times are microseconds UTC; `findings` is canonical JSON. */
export interface GateRunTable {
  id: string;
  gate: string;
  definition_digest: string;
  subject_kind: string;
  subject_digest: string;
  outcome: 'passed' | 'failed' | 'error';
  findings: string;
  started_at: number;
  finished_at: number;
  actor: string;
}

declare module '../../platform/store/store.ts' {
  interface Database {
    gate_run: GateRunTable;
  }
}
