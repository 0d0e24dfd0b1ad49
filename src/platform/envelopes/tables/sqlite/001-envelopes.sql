CREATE TABLE infra_error_events (
  id INTEGER PRIMARY KEY,
  error_id TEXT NOT NULL,
  workspace_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  timestamp INTEGER NOT NULL,
  layer TEXT NOT NULL CHECK (layer IN ('L2', 'L3', 'L4', 'L5', 'L6')),
  component TEXT NOT NULL,
  error_class TEXT NOT NULL CHECK (error_class IN (
    'infra.network', 'infra.database', 'infra.external_service', 'infra.timeout', 'infra.resource_exhausted', 'infra.connection',
    'domain.validation', 'domain.authorization', 'domain.rate_limit', 'domain.budget_exceeded', 'domain.policy_violation',
    'domain.constraint', 'domain.not_found', 'system.internal', 'system.configuration', 'system.recovery_failed',
    'system.state_corruption', 'system.assertion', 'unknown')),
  severity TEXT NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
  message TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  parent_span_id TEXT,
  decision_id TEXT,
  run_id TEXT,
  step TEXT,
  agent_id TEXT,
  actor TEXT,
  input_hash TEXT,
  exception_type TEXT,
  exception_chain TEXT NOT NULL,
  context TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  fingerprint_version INTEGER NOT NULL,
  release TEXT NOT NULL,
  synthetic INTEGER NOT NULL CHECK (synthetic IN (0, 1)),
  schema_version INTEGER NOT NULL,
  -- The domain speaks for its rules, every other layer for its means; everyone may say that Waybill is at fault.
  CHECK ((substr(error_class, 1, 7) <> 'domain.' OR layer = 'L4') AND (substr(error_class, 1, 6) <> 'infra.' OR layer <> 'L4'))
) STRICT;
CREATE UNIQUE INDEX infra_error_events_by_error ON infra_error_events (error_id);
CREATE INDEX infra_error_events_by_created ON infra_error_events (created_at);
CREATE INDEX infra_error_events_by_time ON infra_error_events (timestamp, id);
CREATE INDEX infra_error_events_by_correlation ON infra_error_events (correlation_id, timestamp, id);
CREATE INDEX infra_error_events_by_run ON infra_error_events (run_id, timestamp, id) WHERE run_id IS NOT NULL;
CREATE INDEX infra_error_events_by_decision ON infra_error_events (decision_id, timestamp, id) WHERE decision_id IS NOT NULL;
CREATE INDEX infra_error_events_by_component ON infra_error_events (component, timestamp, id);
CREATE INDEX infra_error_events_by_class ON infra_error_events (error_class, timestamp, id);
CREATE INDEX infra_error_events_by_fingerprint ON infra_error_events (fingerprint, timestamp, id);
CREATE INDEX infra_error_events_by_severity ON infra_error_events (severity, timestamp, id);

-- Open only inside the transaction that deletes: it inserts its row, deletes what is older, and takes the row away again.
CREATE TABLE retention_window (
  table_name TEXT PRIMARY KEY NOT NULL,
  cut_off INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE span (
  id INTEGER PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  parent_span_id TEXT,
  component TEXT NOT NULL,
  name TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
  note TEXT
) STRICT;
CREATE INDEX span_by_correlation ON span (correlation_id, started_at, id);

-- Append-only. The delete trigger does not fire for INSERT OR REPLACE, so the guard before insert refuses what
-- exists; a writer that may come second asks first (INSERT ... SELECT ... WHERE NOT EXISTS), in one statement.
CREATE TRIGGER infra_error_events_insert BEFORE INSERT ON infra_error_events
WHEN EXISTS (SELECT 1 FROM infra_error_events WHERE error_id = NEW.error_id)
  OR EXISTS (SELECT 1 FROM infra_error_events WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an error envelope of this id exists already'); END;
CREATE TRIGGER infra_error_events_update BEFORE UPDATE ON infra_error_events
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an error envelope is never changed'); END;
-- Whatever the window says, nothing younger than a day goes.
CREATE TRIGGER infra_error_events_delete BEFORE DELETE ON infra_error_events
WHEN OLD.created_at > CAST(unixepoch('subsec') * 1000000 AS INTEGER) - 86400000000
  OR NOT EXISTS (SELECT 1 FROM retention_window WHERE table_name = 'infra_error_events' AND cut_off > OLD.created_at)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an error envelope is only deleted by retention'); END;
