import type { PreparedSql } from '../../../platform/store/store.ts';

/** A statement for both engines, written with `?`. Make each a constant of its module: it is prepared once. */
export function sql(text: string): PreparedSql {
  let place = 0;
  return { sqlite: text, postgres: text.replace(/\?/g, () => `$${++place}`) };
}

// The statements of the hot path. Values come in the order of the columns.
export const insertRun = sql(
  `INSERT INTO run (id, workflow, tasks, state, actor, root, snapshot_mode, snapshot_id, snapshot_digest, tree_digest,
    head_seq, head_digest, receipts, epoch, holder, lease_expires_at, idempotency_key, request_digest, created_at, started_at)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);
/** A run that waits for a worker; held at once when a worker with a free place submits it. */
export const insertQueuedRun = sql(
  `INSERT INTO run (id, workflow, tasks, state, actor, root, snapshot_mode, head_seq, head_digest, receipts, epoch, holder,
    lease_expires_at, idempotency_key, request_digest, created_at, tool)
   VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`,
);
export const insertRunInput = sql('INSERT INTO run_input (run, input) VALUES (?, ?)');
export const insertEvent = sql('INSERT INTO run_event (run, seq, type, body, digest) VALUES (?, ?, ?, ?, ?)');
export const insertReceipt = sql(
  'INSERT INTO receipt (run, number, idempotency_key, name, outcome, body, digest) VALUES (?, ?, ?, ?, ?, ?, ?)',
);
export const insertSharedReceipt = sql('INSERT INTO shared_receipt (run, origin_run, number) VALUES (?, ?, ?)');
export const insertRunLink = sql(
  'INSERT INTO run_link (run, origin_run, kind, from_step, reason, created_at) VALUES (?, ?, ?, ?, ?, ?)',
);
export const insertPending = sql(
  `INSERT INTO pending_step (run, idempotency_key, action, name, attempt, waiting_for, body, first_seq, started_at)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
   ON CONFLICT (run, idempotency_key) DO UPDATE SET attempt = excluded.attempt, body = excluded.body,
    first_seq = excluded.first_seq, started_at = excluded.started_at`,
);
export const deletePending = sql('DELETE FROM pending_step WHERE run = ? AND idempotency_key = ?');
export const deleteAllPending = sql('DELETE FROM pending_step WHERE run = ?');
export const insertProcess = sql('INSERT INTO run_process (marker, run, identity, started_at) VALUES (?, ?, ?, ?)');
export const deleteProcess = sql('DELETE FROM run_process WHERE marker = ?');
export const deleteProcesses = sql('DELETE FROM run_process WHERE run = ?');
export const insertSnapshot = sql(
  'INSERT INTO snapshot (digest, id, manifest, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING',
);
export const finishRequest = sql('UPDATE run_request SET done_at = ?, outcome = ? WHERE id = ? AND done_at IS NULL');
export const finishRequests = sql(
  "UPDATE run_request SET done_at = ?, outcome = 'unchanged' WHERE run = ? AND done_at IS NULL",
);

// Each of these moves the head of a run. The epoch and the old head are checked in the statement itself: a
// holder that lost its lease, or whose memory of the head is stale, changes nothing.
const fence = 'WHERE id = ? AND epoch = ? AND head_seq = ?';
export const advanceRun = sql(`UPDATE run SET head_seq = ?, head_digest = ?, receipts = ?, tree_digest = ? ${fence}`);
export const acceptTree = sql(
  `UPDATE run SET head_seq = ?, head_digest = ?, receipts = ?, tree_digest = ?, snapshot_id = ?, snapshot_digest = ? ${fence}`,
);
export const suspendRun = sql(
  `UPDATE run SET head_seq = ?, head_digest = ?, receipts = ?, tree_digest = ?, state = ?, wake_at = ?, holder = NULL,
    lease_expires_at = NULL ${fence}`,
);
/** A queued run starts: what it starts on is known only now. */
export const beginRun = sql(
  `UPDATE run SET head_seq = ?, head_digest = ?, receipts = ?, tree_digest = ?, state = 'running', snapshot_id = ?,
    snapshot_digest = ?, started_at = ? ${fence}`,
);
export const finishRun = sql(
  `UPDATE run SET head_seq = ?, head_digest = ?, receipts = ?, tree_digest = ?, state = ?, reason = ?, output = ?,
    finished_at = ?, wake_at = NULL, holder = NULL, lease_expires_at = NULL ${fence}`,
);

export const takeLease = sql(
  `UPDATE run SET epoch = epoch + 1, holder = ?, lease_expires_at = ?, wake_at = NULL,
    state = CASE state WHEN 'waiting' THEN 'running' ELSE state END
   WHERE id = ? AND epoch = ? AND state IN ('queued', 'running', 'waiting')`,
);
export const renewLease = sql('UPDATE run SET lease_expires_at = ? WHERE id = ? AND epoch = ?');
/** A time instead of a lease's end keeps workers, not people, from the run until then: see `coolingMicros`. */
export const releaseLease = sql(
  `UPDATE run SET holder = NULL, lease_expires_at = ?, state = ?, wake_at = ?
   WHERE id = ? AND epoch = ? AND holder IS NOT NULL`,
);
export const releaseAsIs = sql(
  'UPDATE run SET holder = NULL, lease_expires_at = NULL WHERE id = ? AND epoch = ? AND holder IS NOT NULL',
);
