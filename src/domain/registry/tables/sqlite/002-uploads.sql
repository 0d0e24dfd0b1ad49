-- An upload that comes in parts. Its bytes, and how many there are, are where blobs are staged; here is whose it is, and
-- what it is expected to become. It is never changed: it ends, as a blob or as nothing.
CREATE TABLE upload (
  id TEXT PRIMARY KEY NOT NULL,
  repo TEXT NOT NULL,
  -- Null when it was not said at the start.
  digest TEXT CHECK (length(digest) = 71),
  size INTEGER CHECK (size >= 0),
  made_at INTEGER NOT NULL,
  made_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_by_age ON upload (made_at, id);
CREATE INDEX upload_by_repo ON upload (repo);

CREATE TRIGGER upload_insert BEFORE INSERT ON upload
WHEN EXISTS (SELECT 1 FROM upload WHERE id = NEW.id) OR NOT EXISTS (SELECT 1 FROM repo WHERE key = NEW.repo)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: an upload is made once, and in a repo that exists'); END;
CREATE TRIGGER upload_update BEFORE UPDATE ON upload
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: an upload is never changed'); END;
-- The staged bytes of these are swept as those of every upload that is not known any more.
CREATE TRIGGER repo_delete_uploads AFTER DELETE ON repo
BEGIN DELETE FROM upload WHERE repo = OLD.key; END;
