-- A repo holds packages, a package holds versions, a version holds entries, one manifest and at most one attestation.
-- All WITHOUT ROWID: a hidden rowid would be one more key that REPLACE could hit without any trigger being asked.
CREATE TABLE repo (
  key TEXT PRIMARY KEY NOT NULL,
  description TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which bytes may be read in which repo: knowing a digest gives nobody access.
CREATE TABLE repo_blob (
  repo TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 71),
  size INTEGER NOT NULL CHECK (size >= 0),
  added_at INTEGER NOT NULL,
  added_by TEXT NOT NULL,
  PRIMARY KEY (repo, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repo_blob_by_digest ON repo_blob (digest);

-- The row every change of a package locks; `events` counts what it has told the outbox.
CREATE TABLE package (
  id TEXT PRIMARY KEY NOT NULL,
  repo TEXT NOT NULL,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  events INTEGER NOT NULL CHECK (events >= 0),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX package_by_name ON package (repo, type, name);

CREATE TABLE version (
  id TEXT PRIMARY KEY NOT NULL,
  package TEXT NOT NULL,
  repo TEXT NOT NULL,
  version TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'tombstoned')),
  -- Of the content: coordinate, manifest and entries. Null while it is a draft.
  digest TEXT CHECK (length(digest) = 71),
  -- The run it was made by, when it was.
  run TEXT,
  -- What the gates said, as canonical JSON.
  gates TEXT,
  -- Its place among the events of the package.
  event_seq INTEGER,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_at INTEGER,
  published_at INTEGER,
  published_by TEXT,
  tombstoned_at INTEGER,
  tombstoned_by TEXT,
  tombstone_reason TEXT,
  CHECK ((state = 'draft') = (digest IS NULL)),
  CHECK ((state = 'draft') = (published_at IS NULL) AND (state = 'draft') = (published_by IS NULL)),
  CHECK ((state = 'draft') = (event_seq IS NULL) AND (state = 'draft') = (gates IS NULL)),
  CHECK ((state = 'tombstoned') = (tombstoned_at IS NOT NULL) AND (state = 'tombstoned') = (tombstoned_by IS NOT NULL)
    AND (state = 'tombstoned') = (tombstone_reason IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX version_by_coordinate ON version (package, version);
CREATE INDEX version_by_state ON version (repo, state, created_at, id);
CREATE INDEX version_by_run ON version (run) WHERE run IS NOT NULL;
CREATE INDEX version_expired ON version (expires_at) WHERE state = 'draft';

CREATE TABLE version_entry (
  version TEXT NOT NULL,
  path TEXT NOT NULL,
  -- The path as file systems that do not tell case apart see it.
  folded TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 71),
  size INTEGER NOT NULL CHECK (size >= 0),
  media_type TEXT,
  PRIMARY KEY (version, path)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX version_entry_by_folded ON version_entry (version, folded);
CREATE INDEX version_entry_by_digest ON version_entry (digest);

CREATE TABLE version_manifest (
  version TEXT PRIMARY KEY NOT NULL,
  media_type TEXT NOT NULL,
  -- As it came.
  body BLOB NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 71),
  size INTEGER NOT NULL CHECK (size >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE version_attestation (
  version TEXT PRIMARY KEY NOT NULL,
  -- A DSSE envelope.
  envelope TEXT NOT NULL,
  key_id TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 71)
) STRICT, WITHOUT ROWID;

-- A name that points to a published version of its package; it may be moved.
CREATE TABLE tag (
  package TEXT NOT NULL,
  tag TEXT NOT NULL,
  version TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY (package, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_version ON tag (version);

INSERT INTO repo (key, description, created_at, created_by) VALUES ('local', 'What is released from here.', 0, 'waybill');

-- A repo keeps its key, and goes only when nothing is left in it.
CREATE TRIGGER repo_insert BEFORE INSERT ON repo
WHEN EXISTS (SELECT 1 FROM repo WHERE key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'waybill:repo_exists: there is a repo of this key'); END;
CREATE TRIGGER repo_update BEFORE UPDATE ON repo WHEN NEW.key IS NOT OLD.key
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a repo keeps its key'); END;
CREATE TRIGGER repo_delete BEFORE DELETE ON repo
WHEN EXISTS (SELECT 1 FROM version WHERE repo = OLD.key) OR EXISTS (SELECT 1 FROM package WHERE repo = OLD.key)
BEGIN SELECT RAISE(ABORT, 'waybill:repo_not_empty: a repo that holds packages is not deleted'); END;

-- What a draft or a version that can be downloaded refers to stays readable.
CREATE TRIGGER repo_blob_insert BEFORE INSERT ON repo_blob
WHEN EXISTS (SELECT 1 FROM repo_blob WHERE repo = NEW.repo AND digest = NEW.digest AND size IS NOT NEW.size)
  OR NOT EXISTS (SELECT 1 FROM repo WHERE key = NEW.repo)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a blob has one size, and belongs to a repo that exists'); END;
CREATE TRIGGER repo_blob_update BEFORE UPDATE ON repo_blob
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a blob is never changed'); END;
CREATE TRIGGER repo_blob_delete BEFORE DELETE ON repo_blob
WHEN EXISTS (SELECT 1 FROM version_entry JOIN version ON version.id = version_entry.version
  WHERE version_entry.digest = OLD.digest AND version.repo = OLD.repo AND version.state <> 'tombstoned')
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a draft or a version refers to this blob'); END;

-- A package is named once.
CREATE TRIGGER package_insert BEFORE INSERT ON package
WHEN EXISTS (SELECT 1 FROM package WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM package WHERE repo = NEW.repo AND type = NEW.type AND name = NEW.name)
  OR NOT EXISTS (SELECT 1 FROM repo WHERE key = NEW.repo)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a package of this id or name exists, or its repo does not'); END;
CREATE TRIGGER package_update BEFORE UPDATE ON package
WHEN NEW.id IS NOT OLD.id OR NEW.repo IS NOT OLD.repo OR NEW.type IS NOT OLD.type OR NEW.name IS NOT OLD.name
  OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by OR NEW.events < OLD.events
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a package keeps its name, and its events are counted up'); END;
CREATE TRIGGER package_delete BEFORE DELETE ON package
WHEN EXISTS (SELECT 1 FROM version WHERE package = OLD.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a package that has versions is not deleted'); END;

-- A version is born a draft, keeps its coordinate, is published once, and can then only be tombstoned. The guard before
-- insert stands for the delete trigger, which INSERT OR REPLACE does not fire.
CREATE TRIGGER version_insert BEFORE INSERT ON version
WHEN NEW.state <> 'draft' OR EXISTS (SELECT 1 FROM version WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM version WHERE package = NEW.package AND version = NEW.version)
  OR NOT EXISTS (SELECT 1 FROM package WHERE id = NEW.package AND repo = NEW.repo)
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: a version is made as a draft, once, in its own package'); END;
CREATE TRIGGER version_update BEFORE UPDATE ON version
WHEN NEW.id IS NOT OLD.id OR NEW.package IS NOT OLD.package OR NEW.repo IS NOT OLD.repo
  OR NEW.version IS NOT OLD.version OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by
  OR (OLD.state = 'draft' AND NEW.state = 'tombstoned')
  OR OLD.state = 'tombstoned'
  OR (OLD.state = 'published' AND (NEW.state <> 'tombstoned'
    OR NEW.digest IS NOT OLD.digest OR NEW.run IS NOT OLD.run OR NEW.gates IS NOT OLD.gates
    OR NEW.event_seq IS NOT OLD.event_seq OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.published_at IS NOT OLD.published_at OR NEW.published_by IS NOT OLD.published_by))
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: a version keeps its coordinate; once published it can only be tombstoned'); END;
CREATE TRIGGER version_publish BEFORE UPDATE ON version
WHEN OLD.state = 'draft' AND NEW.state = 'published' AND (
  NOT EXISTS (SELECT 1 FROM version_entry WHERE version = NEW.id)
  OR NOT EXISTS (SELECT 1 FROM version_manifest WHERE version = NEW.id)
  OR EXISTS (SELECT 1 FROM version_entry AS entry WHERE entry.version = NEW.id
    AND NOT EXISTS (SELECT 1 FROM repo_blob WHERE repo_blob.repo = NEW.repo AND repo_blob.digest = entry.digest
      AND repo_blob.size = entry.size)))
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: a version is published with entries, a manifest, and blobs that are there'); END;
CREATE TRIGGER version_delete BEFORE DELETE ON version
WHEN OLD.state <> 'draft' OR EXISTS (SELECT 1 FROM version_entry WHERE version = OLD.id)
  OR EXISTS (SELECT 1 FROM version_manifest WHERE version = OLD.id)
  OR EXISTS (SELECT 1 FROM version_attestation WHERE version = OLD.id)
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: only a draft is deleted, when nothing is left in it'); END;

-- Entries and manifest change while their version is a draft, and never after.
CREATE TRIGGER version_entry_insert BEFORE INSERT ON version_entry
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = NEW.version AND state = 'draft')
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: only a draft is given entries'); END;
CREATE TRIGGER version_entry_blob BEFORE INSERT ON version_entry
WHEN NOT EXISTS (SELECT 1 FROM version JOIN repo_blob ON repo_blob.repo = version.repo
  WHERE version.id = NEW.version AND repo_blob.digest = NEW.digest AND repo_blob.size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'waybill:blob_not_found: the blob of an entry is in the repo of its version'); END;
CREATE TRIGGER version_entry_update BEFORE UPDATE ON version_entry
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: an entry is removed and given again, not changed'); END;
CREATE TRIGGER version_entry_delete BEFORE DELETE ON version_entry
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = OLD.version AND state = 'draft')
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: only a draft loses entries'); END;

CREATE TRIGGER version_manifest_insert BEFORE INSERT ON version_manifest
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = NEW.version AND state = 'draft')
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: only a draft is given a manifest'); END;
CREATE TRIGGER version_manifest_update BEFORE UPDATE ON version_manifest
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: a manifest is removed and given again, not changed'); END;
CREATE TRIGGER version_manifest_delete BEFORE DELETE ON version_manifest
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = OLD.version AND state = 'draft')
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: only a draft loses its manifest'); END;

CREATE TRIGGER version_attestation_insert BEFORE INSERT ON version_attestation
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = NEW.version AND state = 'draft')
  OR EXISTS (SELECT 1 FROM version_attestation WHERE version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: a version is attested once, when it is published'); END;
CREATE TRIGGER version_attestation_update BEFORE UPDATE ON version_attestation
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: an attestation is never changed'); END;
CREATE TRIGGER version_attestation_delete BEFORE DELETE ON version_attestation
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = OLD.version AND state = 'draft')
BEGIN SELECT RAISE(ABORT, 'waybill:version_immutable: only a draft loses its attestation'); END;

-- A tag points to a version of its package that is published.
CREATE TRIGGER tag_insert BEFORE INSERT ON tag
WHEN NOT EXISTS (SELECT 1 FROM version WHERE id = NEW.version AND package = NEW.package AND state = 'published')
BEGIN SELECT RAISE(ABORT, 'waybill:version_not_found: a tag points to a published version of its package'); END;
CREATE TRIGGER tag_update BEFORE UPDATE ON tag
WHEN NEW.package IS NOT OLD.package OR NEW.tag IS NOT OLD.tag
  OR NOT EXISTS (SELECT 1 FROM version WHERE id = NEW.version AND package = NEW.package AND state = 'published')
BEGIN SELECT RAISE(ABORT, 'waybill:version_not_found: a tag points to a published version of its package'); END;
