-- The tool a run of the workflow `tool` calls.
ALTER TABLE run ADD COLUMN tool TEXT;

-- What the workers are to work on: a run is here from its submit, or from being given to them, until it is finished.
CREATE TABLE run_queue (
  run TEXT PRIMARY KEY NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('ready', 'held', 'resting', 'parked')),
  priority INTEGER NOT NULL,
  tool TEXT,
  traceparent TEXT,
  due INTEGER,
  failures INTEGER NOT NULL,
  parked TEXT,
  actor TEXT,
  accept_drift INTEGER NOT NULL CHECK (accept_drift IN (0, 1)),
  CHECK ((state = 'parked') = (parked IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX run_queue_ready ON run_queue (priority DESC, run) WHERE state = 'ready';
CREATE INDEX run_queue_due ON run_queue (due) WHERE state = 'resting' AND due IS NOT NULL;
CREATE INDEX run_queue_held ON run_queue (tool) WHERE state = 'held';

-- Whoever moves a run, on whichever path, moves its place in the queue with it: the two cannot drift apart. A run that
-- nobody holds and whose lease still has an end was let go of because of an error: it is due then, and not before.
CREATE TRIGGER run_queue_follows AFTER UPDATE OF state, holder, wake_at ON run
WHEN NEW.state NOT IN ('succeeded', 'failed', 'canceled')
BEGIN
  UPDATE run_queue SET
    state = CASE WHEN NEW.holder IS NOT NULL THEN 'held'
      WHEN NEW.state = 'waiting' OR NEW.lease_expires_at IS NOT NULL THEN 'resting' ELSE 'ready' END,
    due = CASE WHEN NEW.holder IS NOT NULL THEN NULL WHEN NEW.lease_expires_at IS NOT NULL THEN NEW.lease_expires_at
      WHEN NEW.state = 'waiting' THEN NEW.wake_at END,
    failures = CASE WHEN NEW.holder IS NULL AND NEW.lease_expires_at IS NULL AND NEW.state = 'waiting' THEN 0
      ELSE failures END,
    actor = CASE WHEN NEW.holder IS NULL THEN NULL ELSE actor END,
    accept_drift = CASE WHEN NEW.holder IS NULL THEN 0 ELSE accept_drift END,
    parked = NULL
  WHERE run = NEW.id;
END;
CREATE TRIGGER run_queue_ends AFTER UPDATE OF state ON run
WHEN NEW.state IN ('succeeded', 'failed', 'canceled')
BEGIN DELETE FROM run_queue WHERE run = NEW.id; END;

-- The legal edges of a run's life, as in states.ts. A finished run has none.
CREATE TRIGGER run_edges BEFORE UPDATE OF state ON run
WHEN NEW.state <> OLD.state AND NOT (
  (OLD.state = 'queued' AND NEW.state IN ('running', 'canceled', 'failed'))
  OR (OLD.state = 'running' AND NEW.state IN ('waiting', 'succeeded', 'failed', 'canceled'))
  OR (OLD.state = 'waiting' AND NEW.state IN ('running', 'canceled', 'failed')))
BEGIN SELECT RAISE(ABORT, 'waybill:invalid_transition: a run does not go from its state to that one'); END;
DROP TRIGGER run_finished;
CREATE TRIGGER run_finished BEFORE UPDATE OF id, workflow, tasks, state, actor, root, snapshot_mode, snapshot_id,
  snapshot_digest, output, reason, holder, wake_at, created_at, started_at, finished_at ON run
WHEN OLD.state IN ('succeeded', 'failed', 'canceled') AND NEW.state = OLD.state
BEGIN SELECT RAISE(ABORT, 'waybill:ledger_closed: a finished run is never reopened'); END;
