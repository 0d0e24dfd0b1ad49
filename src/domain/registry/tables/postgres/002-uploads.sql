-- An upload that comes in parts. Its bytes, and how many there are, are where blobs are staged; here is whose it is, and
-- what it is expected to become. It is never changed: it ends, as a blob or as nothing.
CREATE TABLE upload (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  repo TEXT COLLATE "C" NOT NULL,
  -- Null when it was not said at the start.
  digest TEXT COLLATE "C" CHECK (length(digest) = 71),
  size BIGINT CHECK (size >= 0),
  made_at BIGINT NOT NULL,
  made_by TEXT COLLATE "C" NOT NULL
);
CREATE INDEX upload_by_age ON upload (made_at, id);
CREATE INDEX upload_by_repo ON upload (repo);

CREATE FUNCTION upload_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM upload WHERE id = NEW.id) OR NOT is_repo(NEW.repo)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: an upload is made once, and in a repo that exists';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER upload_insert BEFORE INSERT ON upload FOR EACH ROW EXECUTE FUNCTION upload_insert();
CREATE FUNCTION upload_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: an upload is never changed';
END $$;
CREATE TRIGGER upload_update BEFORE UPDATE ON upload FOR EACH ROW EXECUTE FUNCTION upload_update();
-- The staged bytes of these are swept as those of every upload that is not known any more.
CREATE FUNCTION repo_delete_uploads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM upload WHERE repo = OLD.key;
  RETURN NULL;
END $$;
CREATE TRIGGER repo_delete_uploads AFTER DELETE ON repo FOR EACH ROW EXECUTE FUNCTION repo_delete_uploads();
