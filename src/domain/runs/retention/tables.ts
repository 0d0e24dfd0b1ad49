import type { TerminalState } from '../states.ts';

/** Rows of retention. Times are microseconds UTC. */
export interface RemovedRunTable {
  run: string;
  state: TerminalState;
  last_seq: number;
  last_digest: string;
  finished_at: number;
  removed_at: number;
  reason: 'age' | 'count';
}

export interface RetentionPassTable {
  workspace: string;
  due_at: number;
  retry_at: number | null;
}

declare module '../../../platform/store/store.ts' {
  interface Database {
    removed_run: RemovedRunTable;
    retention_pass: RetentionPassTable;
  }
}
