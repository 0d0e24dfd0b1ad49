CREATE TABLE run (
  id TEXT PRIMARY KEY NOT NULL,
  workflow TEXT NOT NULL,
  tasks TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'canceled')),
  actor TEXT NOT NULL,
  root TEXT NOT NULL,
  snapshot_mode TEXT NOT NULL CHECK (snapshot_mode IN ('list', 'content', 'none')),
  snapshot_id TEXT,
  snapshot_digest TEXT,
  tree_digest TEXT,
  output TEXT,
  reason TEXT,
  head_seq INTEGER NOT NULL,
  head_digest TEXT NOT NULL,
  receipts INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  holder TEXT,
  lease_expires_at INTEGER,
  wake_at INTEGER,
  idempotency_key TEXT,
  request_digest TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
) STRICT, WITHOUT ROWID;
-- Only what is not finished: a scheduler's view. The list of all runs goes by id, which sorts by time.
CREATE INDEX run_open ON run (state, id) WHERE state IN ('queued', 'running', 'waiting');
CREATE UNIQUE INDEX run_by_key ON run (actor, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Apart from the run, which every append rewrites: an input can be large and never changes.
CREATE TABLE run_input (
  run TEXT PRIMARY KEY NOT NULL,
  input TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run_event (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  seq INTEGER NOT NULL CHECK (seq > 0),
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX run_event_by_seq ON run_event (run, seq);

CREATE TABLE receipt (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number > 0),
  idempotency_key TEXT NOT NULL,
  name TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed')),
  body TEXT NOT NULL,
  digest TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX receipt_by_number ON receipt (run, number);

CREATE TABLE shared_receipt (
  run TEXT NOT NULL,
  origin_run TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (run, origin_run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_link (
  run TEXT PRIMARY KEY NOT NULL,
  origin_run TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('retry', 'fork', 'import')),
  from_step TEXT,
  reason TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_link_by_origin ON run_link (origin_run);

CREATE TABLE pending_step (
  run TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  action TEXT NOT NULL,
  name TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  waiting_for TEXT,
  body TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  PRIMARY KEY (run, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_process (
  marker TEXT PRIMARY KEY NOT NULL,
  run TEXT NOT NULL,
  identity TEXT,
  started_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_process_by_run ON run_process (run);

CREATE TABLE run_request (
  id TEXT PRIMARY KEY NOT NULL,
  run TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('cancel', 'approve', 'deny', 'signal', 'pause')),
  payload TEXT NOT NULL,
  actor TEXT NOT NULL,
  idempotency_key TEXT,
  created_at INTEGER NOT NULL,
  done_at INTEGER,
  outcome TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX run_request_open ON run_request (run, created_at) WHERE done_at IS NULL;
CREATE UNIQUE INDEX run_request_by_key ON run_request (run, actor, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE snapshot (
  digest TEXT PRIMARY KEY NOT NULL,
  id TEXT NOT NULL,
  manifest TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A ledger grows by one at its end, and by nothing after its terminal event. A delete trigger does not fire for
-- INSERT OR REPLACE, so the guard is before the insert; one look at the last event answers all of it. An id is never
-- given (here it is -1 until SQLite makes one): under a given one a REPLACE would take another event's place.
CREATE TRIGGER run_event_insert BEFORE INSERT ON run_event
WHEN NEW.id > 0 OR NEW.seq IS NOT COALESCE((
  SELECT CASE WHEN type IN ('run.succeeded', 'run.failed', 'run.canceled') THEN 0 ELSE seq + 1 END
  FROM run_event WHERE run = NEW.run ORDER BY seq DESC LIMIT 1), 1)
BEGIN SELECT RAISE(ABORT, 'waybill:ledger_closed: this is not the next place in the ledger, or the run is finished'); END;
CREATE TRIGGER run_event_update BEFORE UPDATE ON run_event
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a ledger event is never changed'); END;
CREATE TRIGGER run_event_delete BEFORE DELETE ON run_event
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a ledger event is never deleted'); END;

-- Only the good ones of the receipts of a run that is not here may have come along, with a run that shares them.
CREATE TRIGGER receipt_insert BEFORE INSERT ON receipt
WHEN NEW.id > 0 OR (
  NEW.number IS NOT COALESCE((SELECT number + 1 FROM receipt WHERE run = NEW.run ORDER BY number DESC LIMIT 1), 1)
  AND (EXISTS (SELECT 1 FROM run WHERE id = NEW.run)
    OR EXISTS (SELECT 1 FROM receipt WHERE run = NEW.run AND number = NEW.number)))
BEGIN SELECT RAISE(ABORT, 'waybill:receipt_conflict: this is not the next receipt of the run'); END;
CREATE TRIGGER receipt_update BEFORE UPDATE ON receipt
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a receipt is never changed'); END;
CREATE TRIGGER receipt_delete BEFORE DELETE ON receipt
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a receipt is never deleted'); END;

CREATE TRIGGER run_insert BEFORE INSERT ON run
WHEN EXISTS (SELECT 1 FROM run WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_constraint: a run of this id exists'); END;
-- Not on the columns an append moves: that nothing is appended to a finished run is the guard of its events.
CREATE TRIGGER run_finished BEFORE UPDATE OF id, workflow, tasks, state, actor, root, snapshot_mode, snapshot_id,
  snapshot_digest, output, reason, holder, wake_at, created_at, started_at, finished_at ON run
WHEN OLD.state IN ('succeeded', 'failed', 'canceled')
BEGIN SELECT RAISE(ABORT, 'waybill:ledger_closed: a finished run is never reopened'); END;
CREATE TRIGGER run_delete BEFORE DELETE ON run
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a run is not deleted'); END;
