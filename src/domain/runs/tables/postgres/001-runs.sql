CREATE TABLE run (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  workflow TEXT COLLATE "C" NOT NULL,
  tasks TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'canceled')),
  actor TEXT COLLATE "C" NOT NULL,
  root TEXT COLLATE "C" NOT NULL,
  snapshot_mode TEXT COLLATE "C" NOT NULL CHECK (snapshot_mode IN ('list', 'content', 'none')),
  snapshot_id TEXT COLLATE "C",
  snapshot_digest TEXT COLLATE "C",
  tree_digest TEXT COLLATE "C",
  output TEXT COLLATE "C",
  reason TEXT COLLATE "C",
  head_seq BIGINT NOT NULL,
  head_digest TEXT COLLATE "C" NOT NULL,
  receipts BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  holder TEXT COLLATE "C",
  lease_expires_at BIGINT,
  wake_at BIGINT,
  idempotency_key TEXT COLLATE "C",
  request_digest TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
-- Only what is not finished: a scheduler's view. The list of all runs goes by id, which sorts by time.
CREATE INDEX run_open ON run (state, id) WHERE state IN ('queued', 'running', 'waiting');
CREATE UNIQUE INDEX run_by_key ON run (actor, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Apart from the run, which every append rewrites: an input can be large and never changes.
CREATE TABLE run_input (
  run TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  input TEXT COLLATE "C" NOT NULL
);

CREATE TABLE run_event (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run TEXT COLLATE "C" NOT NULL,
  seq BIGINT NOT NULL CHECK (seq > 0),
  type TEXT COLLATE "C" NOT NULL,
  body TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX run_event_by_seq ON run_event (run, seq);

CREATE TABLE receipt (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL CHECK (number > 0),
  idempotency_key TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
  body TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX receipt_by_number ON receipt (run, number);

CREATE TABLE shared_receipt (
  run TEXT COLLATE "C" NOT NULL,
  origin_run TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  PRIMARY KEY (run, origin_run, number)
);

CREATE TABLE run_link (
  run TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  origin_run TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('retry', 'fork', 'import')),
  from_step TEXT COLLATE "C",
  reason TEXT COLLATE "C",
  created_at BIGINT NOT NULL
);
CREATE INDEX run_link_by_origin ON run_link (origin_run);

CREATE TABLE pending_step (
  run TEXT COLLATE "C" NOT NULL,
  idempotency_key TEXT COLLATE "C" NOT NULL,
  action TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  attempt BIGINT NOT NULL,
  waiting_for TEXT COLLATE "C",
  body TEXT COLLATE "C" NOT NULL,
  first_seq BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  PRIMARY KEY (run, idempotency_key)
);

CREATE TABLE run_process (
  marker TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  run TEXT COLLATE "C" NOT NULL,
  identity TEXT COLLATE "C",
  started_at BIGINT NOT NULL
);
CREATE INDEX run_process_by_run ON run_process (run);

CREATE TABLE run_request (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  run TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('cancel', 'approve', 'deny', 'signal', 'pause')),
  payload TEXT COLLATE "C" NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  idempotency_key TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  done_at BIGINT,
  outcome TEXT COLLATE "C"
);
CREATE INDEX run_request_open ON run_request (run, created_at) WHERE done_at IS NULL;
CREATE UNIQUE INDEX run_request_by_key ON run_request (run, actor, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE snapshot (
  digest TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  manifest TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL
);

-- The same guards as on SQLite; PostgreSQL also has TRUNCATE to refuse. A row trigger does not see the rows its
-- own statement inserted before, so a ledger's rows are checked when the statement is done.
CREATE FUNCTION run_event_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM added
    LEFT JOIN run_event AS before ON before.run = added.run AND before.seq = added.seq - 1
    WHERE added.seq > 1 AND (before.seq IS NULL OR before.type IN ('run.succeeded', 'run.failed', 'run.canceled'))
  ) THEN
    RAISE EXCEPTION 'waybill:ledger_closed: this is not the next place in the ledger, or the run is finished';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER run_event_insert AFTER INSERT ON run_event REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION run_event_insert();
CREATE FUNCTION run_event_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a ledger event is never changed or deleted';
END $$;
CREATE TRIGGER run_event_unchanged BEFORE UPDATE OR DELETE ON run_event FOR EACH ROW EXECUTE FUNCTION run_event_unchanged();
CREATE TRIGGER run_event_truncate BEFORE TRUNCATE ON run_event FOR EACH STATEMENT EXECUTE FUNCTION run_event_unchanged();
-- Only the good ones of the receipts of a run that is not here may have come along, with a run that shares them.
CREATE FUNCTION receipt_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.number <> COALESCE((SELECT max(number) + 1 FROM receipt WHERE run = NEW.run), 1)
    AND EXISTS (SELECT 1 FROM run WHERE id = NEW.run) THEN
    RAISE EXCEPTION 'waybill:receipt_conflict: this is not the next receipt of the run';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER receipt_insert BEFORE INSERT ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_insert();
CREATE FUNCTION receipt_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a receipt is never changed or deleted';
END $$;
CREATE TRIGGER receipt_unchanged BEFORE UPDATE OR DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_unchanged();
CREATE TRIGGER receipt_truncate BEFORE TRUNCATE ON receipt FOR EACH STATEMENT EXECUTE FUNCTION receipt_unchanged();
CREATE FUNCTION run_finished() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IN ('succeeded', 'failed', 'canceled') THEN
    RAISE EXCEPTION 'waybill:ledger_closed: a finished run is never reopened';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER run_finished BEFORE UPDATE ON run FOR EACH ROW EXECUTE FUNCTION run_finished();
CREATE FUNCTION run_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a run is not deleted';
END $$;
CREATE TRIGGER run_unchanged BEFORE DELETE ON run FOR EACH ROW EXECUTE FUNCTION run_unchanged();
CREATE TRIGGER run_truncate BEFORE TRUNCATE ON run FOR EACH STATEMENT EXECUTE FUNCTION run_unchanged();
