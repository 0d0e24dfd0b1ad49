import type { Generated } from 'kysely';

/** Rows of the runs feature. Times are microseconds UTC; JSON columns hold the exact canonical text. */
export interface RunTable {
  id: string;
  workflow: string;
  tasks: string;
  state: string;
  actor: string;
  root: string;
  snapshot_mode: string;
  snapshot_id: string | null;
  snapshot_digest: string | null;
  tree_digest: string | null;
  output: string | null;
  reason: string | null;
  head_seq: number;
  head_digest: string;
  receipts: number;
  epoch: number;
  holder: string | null;
  lease_expires_at: number | null;
  wake_at: number | null;
  idempotency_key: string | null;
  request_digest: string | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  tool: string | null;
}

export interface RunInputTable {
  run: string;
  input: string;
}

export interface RunEventTable {
  id: Generated<number>;
  run: string;
  seq: number;
  type: string;
  body: string;
  digest: string;
}

export interface ReceiptTable {
  id: Generated<number>;
  run: string;
  number: number;
  idempotency_key: string;
  name: string;
  outcome: string;
  body: string;
  digest: string;
}

export interface SharedReceiptTable {
  run: string;
  origin_run: string;
  number: number;
}

export interface RunLinkTable {
  run: string;
  origin_run: string;
  kind: 'retry' | 'fork' | 'import';
  from_step: string | null;
  reason: string | null;
  created_at: number;
}

export interface PendingStepTable {
  run: string;
  idempotency_key: string;
  action: string;
  name: string;
  attempt: number;
  waiting_for: string | null;
  body: string;
  first_seq: number;
  started_at: number;
}

export interface RunProcessTable {
  marker: string;
  run: string;
  identity: string | null;
  started_at: number;
}

export interface RunRequestTable {
  id: string;
  run: string;
  kind: 'cancel' | 'approve' | 'deny' | 'signal' | 'pause';
  payload: string;
  actor: string;
  idempotency_key: string | null;
  created_at: number;
  done_at: number | null;
  outcome: string | null;
}

export interface RunQueueTable {
  run: string;
  /** `held` while somebody has the run's lease; kept so by triggers on `run`. */
  state: 'ready' | 'held' | 'resting' | 'parked';
  priority: number;
  tool: string | null;
  traceparent: string | null;
  /** When a resting run is ready again by itself. */
  due: number | null;
  /** How often working on it ended in an error of the system, one after the other. */
  failures: number;
  /** The code of the error it was set aside for. */
  parked: string | null;
  /** Who asked to go on with it; null when the worker does so by itself. */
  actor: string | null;
  accept_drift: 0 | 1;
}

export interface SnapshotTable {
  digest: string;
  id: string;
  manifest: string;
  created_at: number;
}

declare module '../../platform/store/store.ts' {
  interface Database {
    run: RunTable;
    run_input: RunInputTable;
    run_event: RunEventTable;
    receipt: ReceiptTable;
    shared_receipt: SharedReceiptTable;
    run_link: RunLinkTable;
    pending_step: PendingStepTable;
    run_process: RunProcessTable;
    run_request: RunRequestTable;
    run_queue: RunQueueTable;
    snapshot: SnapshotTable;
  }
}
