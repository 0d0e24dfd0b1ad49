-- What is left to say of a run that retention removed. Its row comes first, in the transaction that removes the run.
CREATE TABLE removed_run (
  run TEXT PRIMARY KEY NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('succeeded', 'failed', 'canceled')),
  last_seq INTEGER NOT NULL,
  last_digest TEXT NOT NULL,
  finished_at INTEGER NOT NULL,
  removed_at INTEGER NOT NULL,
  reason TEXT NOT NULL CHECK (reason IN ('age', 'count'))
) STRICT, WITHOUT ROWID;

-- When the daily pass is due, for each workspace that works on this store. While one is at work, `retry_at` says when
-- another may take over: when that one died.
CREATE TABLE retention_pass (
  workspace TEXT PRIMARY KEY NOT NULL,
  due_at INTEGER NOT NULL,
  retry_at INTEGER
) STRICT, WITHOUT ROWID;

-- Whether anyone still shares a receipt.
CREATE INDEX shared_receipt_by_origin ON shared_receipt (origin_run, number);

-- A run is removed only through an open window (the row in retention_window), only once its own row here says so, and
-- whatever the window says, never within a day of its end.
CREATE TRIGGER removed_run_insert BEFORE INSERT ON removed_run
WHEN NEW.finished_at > CAST(unixepoch('subsec') * 1000000 AS INTEGER) - 86400000000
  OR EXISTS (SELECT 1 FROM removed_run WHERE run = NEW.run)
  OR NOT EXISTS (SELECT 1 FROM retention_window WHERE table_name = 'run' AND cut_off > NEW.finished_at)
  OR NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND state = NEW.state AND finished_at = NEW.finished_at
    AND head_seq = NEW.last_seq AND head_digest = NEW.last_digest)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: only retention removes a run, once, and a day after its end at the earliest'); END;
CREATE TRIGGER removed_run_update BEFORE UPDATE ON removed_run
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: that a run was removed is never changed'); END;
CREATE TRIGGER removed_run_delete BEFORE DELETE ON removed_run
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: that a run was removed is never forgotten'); END;

DROP TRIGGER run_event_delete;
CREATE TRIGGER run_event_delete BEFORE DELETE ON run_event
WHEN NOT EXISTS (SELECT 1 FROM removed_run JOIN retention_window ON table_name = 'run' AND cut_off > finished_at
  WHERE removed_run.run = OLD.run)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a ledger event is only removed by retention, with its run'); END;

-- Of a run that is not here, receipts came along with a run that shares them, and go with the last such run.
DROP TRIGGER receipt_delete;
CREATE TRIGGER receipt_delete BEFORE DELETE ON receipt
WHEN EXISTS (SELECT 1 FROM shared_receipt WHERE origin_run = OLD.run AND number = OLD.number)
  OR NOT EXISTS (SELECT 1 FROM retention_window WHERE table_name = 'run')
  OR (EXISTS (SELECT 1 FROM run WHERE id = OLD.run)
    AND NOT EXISTS (SELECT 1 FROM removed_run JOIN retention_window ON table_name = 'run' AND cut_off > finished_at
      WHERE removed_run.run = OLD.run))
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a receipt is only removed by retention, when no run needs it'); END;

DROP TRIGGER run_delete;
CREATE TRIGGER run_delete BEFORE DELETE ON run
WHEN NOT EXISTS (SELECT 1 FROM removed_run JOIN retention_window ON table_name = 'run' AND cut_off > finished_at
    WHERE removed_run.run = OLD.id)
  OR EXISTS (SELECT 1 FROM run_event WHERE run = OLD.id)
  OR EXISTS (SELECT 1 FROM receipt WHERE run = OLD.id)
  OR EXISTS (SELECT 1 FROM run_link WHERE origin_run = OLD.id AND run <> OLD.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a run is only removed by retention, whole, when no run comes from it'); END;

-- Between the look at a run and the sharing of its receipts retention may have removed it.
CREATE TRIGGER shared_receipt_insert BEFORE INSERT ON shared_receipt
WHEN NOT EXISTS (SELECT 1 FROM receipt WHERE run = NEW.origin_run AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'waybill:run_removed: the run whose receipts were to be shared is not here any more'); END;
