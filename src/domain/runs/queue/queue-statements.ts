import type { PreparedSql } from '../../../platform/store/store.ts';
import { sql } from '../ledger/statements.ts';

/** A new run's place; refused by changing no row when as many as allowed are ready already. */
export const insertPlace: PreparedSql = {
  sqlite: `INSERT INTO run_queue (run, state, priority, tool, traceparent, failures, accept_drift)
    SELECT ?, 'ready', ?, ?, ?, 0, 0 WHERE (SELECT count(*) FROM run_queue WHERE state = 'ready') < ?`,
  postgres: `INSERT INTO run_queue (run, state, priority, tool, traceparent, failures, accept_drift)
    SELECT $1::text, 'ready', $2::integer, $3::text, $4::text, 0, 0
    WHERE (SELECT count(*) FROM run_queue WHERE state = 'ready') < $5::bigint`,
};
/** The place of a run that whoever submits it takes at once. */
export const insertHeldPlace = sql(
  `INSERT INTO run_queue (run, state, priority, tool, traceparent, failures, accept_drift)
   VALUES (?, 'held', ?, ?, ?, 0, 0)`,
);

const place =
  'SELECT q.run, q.state, q.priority, q.tool, q.traceparent, q.failures, q.actor, q.accept_drift, r.epoch, r.receipts';
export const selectReady = sql(
  `${place} FROM run_queue q JOIN run r ON r.id = q.run WHERE q.state = 'ready' ORDER BY q.priority DESC, q.run LIMIT ?`,
);
export const selectDue = sql(
  `${place} FROM run_queue q JOIN run r ON r.id = q.run WHERE q.state = 'resting' AND q.due <= ?
   ORDER BY q.priority DESC, q.run LIMIT ?`,
);
export const selectHeld = sql(
  `${place}, r.holder, r.lease_expires_at FROM run_queue q JOIN run r ON r.id = q.run WHERE q.state = 'held'`,
);
/** The first moment at which a resting run is due. */
export const selectNextDue = sql("SELECT min(due) AS due FROM run_queue WHERE state = 'resting' AND due IS NOT NULL");
export const countStates = sql('SELECT state, count(*) AS count FROM run_queue GROUP BY state');
export const countHeldByTool = sql(
  "SELECT tool, count(*) AS count FROM run_queue WHERE state = 'held' AND tool IS NOT NULL GROUP BY tool",
);

/** Takes a lease only while fewer runs of the tool than its limit are held on the whole store. */
export const takeLimited: PreparedSql = {
  sqlite: `UPDATE run SET epoch = epoch + 1, holder = ?, lease_expires_at = ?, wake_at = NULL,
      state = CASE state WHEN 'waiting' THEN 'running' ELSE state END
    WHERE id = ? AND epoch = ? AND state IN ('queued', 'running', 'waiting')
      AND (SELECT count(*) FROM run_queue WHERE state = 'held' AND tool = ? AND run <> id) < ?`,
  postgres: `UPDATE run SET epoch = epoch + 1, holder = $1, lease_expires_at = $2, wake_at = NULL,
      state = CASE state WHEN 'waiting' THEN 'running' ELSE state END
    WHERE id = $3 AND epoch = $4 AND state IN ('queued', 'running', 'waiting')
      AND (SELECT count(*) FROM run_queue WHERE state = 'held' AND tool = $5::text AND run <> id) < $6::bigint`,
};
/** On PostgreSQL two claims of one tool must count one after the other; SQLite has one writer anyway. */
export const lockTool: PreparedSql = {
  sqlite: "UPDATE run_queue SET tool = tool WHERE run = '' AND tool = ?",
  postgres: "SELECT pg_advisory_xact_lock(hashtextextended('waybill:tool:' || $1::text, 0))",
};

/** In the commit that takes the lease of a run whose worker died. */
export const countFailures = sql('UPDATE run_queue SET failures = ? WHERE run = ?');

// Only by who held it last: what came after has its own end.
const stillOurs =
  'WHERE run = ? AND EXISTS (SELECT 1 FROM run WHERE id = run_queue.run AND epoch = ? AND holder IS NULL)';
export const retryLater = sql(
  `UPDATE run_queue SET state = 'resting', due = ?, parked = NULL, failures = ? ${stillOurs}`,
);
export const park = sql(`UPDATE run_queue SET state = 'parked', parked = ?, due = NULL, failures = ? ${stillOurs}`);
