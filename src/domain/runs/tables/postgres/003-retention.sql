-- What is left to say of a run that retention removed. Its row comes first, in the transaction that removes the run.
CREATE TABLE removed_run (
  run TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('succeeded', 'failed', 'canceled')),
  last_seq BIGINT NOT NULL,
  last_digest TEXT COLLATE "C" NOT NULL,
  finished_at BIGINT NOT NULL,
  removed_at BIGINT NOT NULL,
  reason TEXT COLLATE "C" NOT NULL CHECK (reason IN ('age', 'count'))
);

-- When the daily pass is due, for each workspace that works on this store. While one is at work, `retry_at` says when
-- another may take over: when that one died.
CREATE TABLE retention_pass (
  workspace TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  due_at BIGINT NOT NULL,
  retry_at BIGINT
);

-- Whether anyone still shares a receipt.
CREATE INDEX shared_receipt_by_origin ON shared_receipt (origin_run, number);

-- The same guards as on SQLite: an open window, the run's row in removed_run, and a day since its end. PostgreSQL also
-- has TRUNCATE to refuse.
CREATE FUNCTION removed_run_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.finished_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 86400000000
    OR NOT EXISTS (SELECT 1 FROM retention_window WHERE table_name = 'run' AND cut_off > NEW.finished_at)
    OR NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run AND state = NEW.state AND finished_at = NEW.finished_at
      AND head_seq = NEW.last_seq AND head_digest = NEW.last_digest)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: only retention removes a run, once, and a day after its end at the earliest';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER removed_run_insert BEFORE INSERT ON removed_run FOR EACH ROW EXECUTE FUNCTION removed_run_insert();
CREATE FUNCTION removed_run_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: that a run was removed is never changed or forgotten';
END $$;
CREATE TRIGGER removed_run_unchanged BEFORE UPDATE OR DELETE ON removed_run
  FOR EACH ROW EXECUTE FUNCTION removed_run_unchanged();
CREATE TRIGGER removed_run_truncate BEFORE TRUNCATE ON removed_run
  FOR EACH STATEMENT EXECUTE FUNCTION removed_run_unchanged();

CREATE FUNCTION is_being_removed(of_run text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM removed_run JOIN retention_window ON table_name = 'run' AND cut_off > finished_at
    WHERE removed_run.run = of_run);
END $$;

DROP TRIGGER run_event_unchanged ON run_event;
CREATE TRIGGER run_event_unchanged BEFORE UPDATE ON run_event FOR EACH ROW EXECUTE FUNCTION run_event_unchanged();
CREATE FUNCTION run_event_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_being_removed(OLD.run) THEN
    RAISE EXCEPTION 'waybill:store_immutable: a ledger event is only removed by retention, with its run';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER run_event_delete BEFORE DELETE ON run_event FOR EACH ROW EXECUTE FUNCTION run_event_delete();

-- Of a run that is not here, receipts came along with a run that shares them, and go with the last such run.
DROP TRIGGER receipt_unchanged ON receipt;
CREATE TRIGGER receipt_unchanged BEFORE UPDATE ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_unchanged();
CREATE FUNCTION receipt_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM shared_receipt WHERE origin_run = OLD.run AND number = OLD.number)
    OR NOT EXISTS (SELECT 1 FROM retention_window WHERE table_name = 'run')
    OR (EXISTS (SELECT 1 FROM run WHERE id = OLD.run) AND NOT is_being_removed(OLD.run))
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a receipt is only removed by retention, when no run needs it';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER receipt_delete BEFORE DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_delete();

DROP TRIGGER run_unchanged ON run;
CREATE FUNCTION run_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_being_removed(OLD.id)
    OR EXISTS (SELECT 1 FROM run_event WHERE run = OLD.id)
    OR EXISTS (SELECT 1 FROM receipt WHERE run = OLD.id)
    OR EXISTS (SELECT 1 FROM run_link WHERE origin_run = OLD.id AND run <> OLD.id)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a run is only removed by retention, whole, when no run comes from it';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER run_delete BEFORE DELETE ON run FOR EACH ROW EXECUTE FUNCTION run_delete();

-- Between the look at a run and the sharing of its receipts retention may have removed it. The lock makes a removal
-- that comes second wait, and then see that the receipt is shared.
CREATE FUNCTION shared_receipt_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM receipt WHERE run = NEW.origin_run AND number = NEW.number FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'waybill:run_removed: the run whose receipts were to be shared is not here any more';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER shared_receipt_insert BEFORE INSERT ON shared_receipt
  FOR EACH ROW EXECUTE FUNCTION shared_receipt_insert();
