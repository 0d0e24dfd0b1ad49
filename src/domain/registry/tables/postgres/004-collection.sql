-- Garbage is what nobody refers to and nobody has put for a while. So whoever adds a blob to a repo again, or records a
-- tree again, says so in the row that is there: the collector removes no row whose time has moved since it looked.
CREATE OR REPLACE FUNCTION repo_blob_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.repo IS DISTINCT FROM OLD.repo OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.size IS DISTINCT FROM OLD.size
    OR NEW.added_by IS DISTINCT FROM OLD.added_by OR NEW.added_at < OLD.added_at
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a blob is never changed, only added again later';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION repo_blob_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE repo_blob SET added_at = NEW.added_at
    WHERE repo = NEW.repo AND digest = NEW.digest AND size = NEW.size AND added_at < NEW.added_at;
  RETURN NEW;
END $$;
CREATE TRIGGER repo_blob_again BEFORE INSERT ON repo_blob FOR EACH ROW EXECUTE FUNCTION repo_blob_again();

-- Every run records the tree it begins with, and that is most often the same: ten minutes are near enough.
CREATE FUNCTION snapshot_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE snapshot SET created_at = NEW.created_at
    WHERE digest = NEW.digest AND created_at < NEW.created_at - 600000000;
  RETURN NEW;
END $$;
CREATE TRIGGER snapshot_again BEFORE INSERT ON snapshot FOR EACH ROW EXECUTE FUNCTION snapshot_again();
CREATE INDEX snapshot_by_manifest ON snapshot (manifest);

-- A version keeps the run it was made by, and is made by a run that is there. The lock makes a removal of the run that
-- comes second wait, and then see the version.
CREATE FUNCTION version_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.run IS NOT NULL THEN
    PERFORM 1 FROM run WHERE id = NEW.run FOR KEY SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'waybill:run_not_found: a version names a run that is in this store';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_run BEFORE INSERT OR UPDATE OF run ON version FOR EACH ROW EXECUTE FUNCTION version_run();
CREATE FUNCTION removed_run_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM version WHERE run = NEW.run) THEN
    RAISE EXCEPTION 'waybill:store_immutable: a version was made by this run';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER removed_run_version BEFORE INSERT ON removed_run FOR EACH ROW EXECUTE FUNCTION removed_run_version();
CREATE FUNCTION run_delete_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM version WHERE run = OLD.id) THEN
    RAISE EXCEPTION 'waybill:store_immutable: a version was made by this run';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER run_delete_version BEFORE DELETE ON run FOR EACH ROW EXECUTE FUNCTION run_delete_version();
