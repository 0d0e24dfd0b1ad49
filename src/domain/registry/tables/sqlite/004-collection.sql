-- Garbage is what nobody refers to and nobody has put for a while. So whoever adds a blob to a repo again, or records a
-- tree again, says so in the row that is there: the collector removes no row whose time has moved since it looked.
DROP TRIGGER repo_blob_update;
CREATE TRIGGER repo_blob_update BEFORE UPDATE ON repo_blob
WHEN NEW.repo IS NOT OLD.repo OR NEW.digest IS NOT OLD.digest OR NEW.size IS NOT OLD.size
  OR NEW.added_by IS NOT OLD.added_by OR NEW.added_at < OLD.added_at
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a blob is never changed, only added again later'); END;
CREATE TRIGGER repo_blob_again BEFORE INSERT ON repo_blob
WHEN EXISTS (SELECT 1 FROM repo_blob WHERE repo = NEW.repo AND digest = NEW.digest AND size = NEW.size
  AND added_at < NEW.added_at)
BEGIN UPDATE repo_blob SET added_at = NEW.added_at WHERE repo = NEW.repo AND digest = NEW.digest; END;

-- Every run records the tree it begins with, and that is most often the same: ten minutes are near enough.
CREATE TRIGGER snapshot_again BEFORE INSERT ON snapshot
WHEN EXISTS (SELECT 1 FROM snapshot WHERE digest = NEW.digest AND created_at < NEW.created_at - 600000000)
BEGIN UPDATE snapshot SET created_at = NEW.created_at WHERE digest = NEW.digest; END;
CREATE INDEX snapshot_by_manifest ON snapshot (manifest);

-- A version keeps the run it was made by, and is made by a run that is there.
CREATE TRIGGER version_run_insert BEFORE INSERT ON version
WHEN NEW.run IS NOT NULL AND NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run)
BEGIN SELECT RAISE(ABORT, 'waybill:run_not_found: a version names a run that is in this store'); END;
CREATE TRIGGER version_run_update BEFORE UPDATE OF run ON version
WHEN NEW.run IS NOT NULL AND NEW.run IS NOT OLD.run AND NOT EXISTS (SELECT 1 FROM run WHERE id = NEW.run)
BEGIN SELECT RAISE(ABORT, 'waybill:run_not_found: a version names a run that is in this store'); END;
CREATE TRIGGER removed_run_version BEFORE INSERT ON removed_run
WHEN EXISTS (SELECT 1 FROM version WHERE run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a version was made by this run'); END;
CREATE TRIGGER run_delete_version BEFORE DELETE ON run
WHEN EXISTS (SELECT 1 FROM version WHERE run = OLD.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a version was made by this run'); END;
