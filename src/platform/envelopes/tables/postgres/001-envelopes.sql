CREATE TABLE infra_error_events (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  error_id TEXT COLLATE "C" NOT NULL,
  workspace_id TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  timestamp BIGINT NOT NULL,
  layer TEXT COLLATE "C" NOT NULL CHECK (layer IN ('L2', 'L3', 'L4', 'L5', 'L6')),
  component TEXT COLLATE "C" NOT NULL,
  error_class TEXT COLLATE "C" NOT NULL CHECK (error_class IN (
    'infra.network', 'infra.database', 'infra.external_service', 'infra.timeout', 'infra.resource_exhausted', 'infra.connection',
    'domain.validation', 'domain.authorization', 'domain.rate_limit', 'domain.budget_exceeded', 'domain.policy_violation',
    'domain.constraint', 'domain.not_found', 'system.internal', 'system.configuration', 'system.recovery_failed',
    'system.state_corruption', 'system.assertion', 'unknown')),
  severity TEXT COLLATE "C" NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
  message TEXT COLLATE "C" NOT NULL,
  correlation_id TEXT COLLATE "C" NOT NULL,
  span_id TEXT COLLATE "C" NOT NULL,
  parent_span_id TEXT COLLATE "C",
  decision_id TEXT COLLATE "C",
  run_id TEXT COLLATE "C",
  step TEXT COLLATE "C",
  agent_id TEXT COLLATE "C",
  actor TEXT COLLATE "C",
  input_hash TEXT COLLATE "C",
  exception_type TEXT COLLATE "C",
  exception_chain TEXT COLLATE "C" NOT NULL,
  context TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  fingerprint_version BIGINT NOT NULL,
  release TEXT COLLATE "C" NOT NULL,
  synthetic BIGINT NOT NULL CHECK (synthetic IN (0, 1)),
  schema_version BIGINT NOT NULL,
  -- The domain speaks for its rules, every other layer for its means; everyone may say that Waybill is at fault.
  CHECK ((substr(error_class, 1, 7) <> 'domain.' OR layer = 'L4') AND (substr(error_class, 1, 6) <> 'infra.' OR layer <> 'L4'))
);
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
  table_name TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  cut_off BIGINT NOT NULL
);

CREATE TABLE span (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id TEXT COLLATE "C" NOT NULL,
  correlation_id TEXT COLLATE "C" NOT NULL,
  span_id TEXT COLLATE "C" NOT NULL,
  parent_span_id TEXT COLLATE "C",
  component TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  started_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
  note TEXT COLLATE "C"
);
CREATE INDEX span_by_correlation ON span (correlation_id, started_at, id);

-- Append-only, as on SQLite; PostgreSQL also has TRUNCATE to refuse.
CREATE FUNCTION infra_error_events_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:an error envelope is never changed';
END $$;
CREATE TRIGGER infra_error_events_update BEFORE UPDATE ON infra_error_events
  FOR EACH ROW EXECUTE FUNCTION infra_error_events_unchanged();
CREATE TRIGGER infra_error_events_truncate BEFORE TRUNCATE ON infra_error_events
  FOR EACH STATEMENT EXECUTE FUNCTION infra_error_events_unchanged();
-- Whatever the window says, nothing younger than a day goes.
CREATE FUNCTION infra_error_events_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.created_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 86400000000
    OR NOT EXISTS (SELECT 1 FROM retention_window WHERE table_name = 'infra_error_events' AND cut_off > OLD.created_at)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable:an error envelope is only deleted by retention';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER infra_error_events_delete BEFORE DELETE ON infra_error_events
  FOR EACH ROW EXECUTE FUNCTION infra_error_events_delete();
