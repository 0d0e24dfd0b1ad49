-- A repo holds packages, a package holds versions, a version holds entries, one manifest and at most one attestation.
CREATE TABLE repo (
  key TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  description TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL
);

-- Which bytes may be read in which repo: knowing a digest gives nobody access.
CREATE TABLE repo_blob (
  repo TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL CHECK (length(digest) = 71),
  size BIGINT NOT NULL CHECK (size >= 0),
  added_at BIGINT NOT NULL,
  added_by TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (repo, digest)
);
CREATE INDEX repo_blob_by_digest ON repo_blob (digest);

-- The row every change of a package locks; `events` counts what it has told the outbox.
CREATE TABLE package (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  repo TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  events BIGINT NOT NULL CHECK (events >= 0),
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX package_by_name ON package (repo, type, name);

CREATE TABLE version (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  package TEXT COLLATE "C" NOT NULL,
  repo TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('draft', 'published', 'tombstoned')),
  -- Of the content: coordinate, manifest and entries. Null while it is a draft.
  digest TEXT COLLATE "C" CHECK (length(digest) = 71),
  -- The run it was made by, when it was.
  run TEXT COLLATE "C",
  -- What the gates said, as canonical JSON.
  gates TEXT COLLATE "C",
  -- Its place among the events of the package.
  event_seq BIGINT,
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT,
  published_at BIGINT,
  published_by TEXT COLLATE "C",
  tombstoned_at BIGINT,
  tombstoned_by TEXT COLLATE "C",
  tombstone_reason TEXT COLLATE "C",
  CHECK ((state = 'draft') = (digest IS NULL)),
  CHECK ((state = 'draft') = (published_at IS NULL) AND (state = 'draft') = (published_by IS NULL)),
  CHECK ((state = 'draft') = (event_seq IS NULL) AND (state = 'draft') = (gates IS NULL)),
  CHECK ((state = 'tombstoned') = (tombstoned_at IS NOT NULL) AND (state = 'tombstoned') = (tombstoned_by IS NOT NULL)
    AND (state = 'tombstoned') = (tombstone_reason IS NOT NULL))
);
CREATE UNIQUE INDEX version_by_coordinate ON version (package, version);
CREATE INDEX version_by_state ON version (repo, state, created_at, id);
CREATE INDEX version_by_run ON version (run) WHERE run IS NOT NULL;
CREATE INDEX version_expired ON version (expires_at) WHERE state = 'draft';

CREATE TABLE version_entry (
  version TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  -- The path as file systems that do not tell case apart see it.
  folded TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL CHECK (length(digest) = 71),
  size BIGINT NOT NULL CHECK (size >= 0),
  media_type TEXT COLLATE "C",
  PRIMARY KEY (version, path)
);
CREATE UNIQUE INDEX version_entry_by_folded ON version_entry (version, folded);
CREATE INDEX version_entry_by_digest ON version_entry (digest);

CREATE TABLE version_manifest (
  version TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  media_type TEXT COLLATE "C" NOT NULL,
  -- As it came.
  body BYTEA NOT NULL,
  digest TEXT COLLATE "C" NOT NULL CHECK (length(digest) = 71),
  size BIGINT NOT NULL CHECK (size >= 0)
);

CREATE TABLE version_attestation (
  version TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  -- A DSSE envelope.
  envelope TEXT COLLATE "C" NOT NULL,
  key_id TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL CHECK (length(digest) = 71)
);

-- A name that points to a published version of its package; it may be moved.
CREATE TABLE tag (
  package TEXT COLLATE "C" NOT NULL,
  tag TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  updated_at BIGINT NOT NULL,
  updated_by TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (package, tag)
);
CREATE INDEX tag_by_version ON tag (version);

INSERT INTO repo (key, description, created_at, created_by) VALUES ('local', 'What is released from here.', 0, 'waybill');

-- Each lock lasts until the transaction ends: what was looked at stays true until the change that relied on it is there.
CREATE FUNCTION is_repo(of_key text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM repo WHERE key = of_key FOR KEY SHARE;
  RETURN FOUND;
END $$;
CREATE FUNCTION is_package(of_id text, of_repo text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM package WHERE id = of_id AND repo = of_repo FOR KEY SHARE;
  RETURN FOUND;
END $$;
CREATE FUNCTION is_draft(of_id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM version WHERE id = of_id AND state = 'draft' FOR SHARE;
  RETURN FOUND;
END $$;
CREATE FUNCTION is_published(of_id text, of_package text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM version WHERE id = of_id AND package = of_package AND state = 'published' FOR SHARE;
  RETURN FOUND;
END $$;

-- A repo keeps its key, and goes only when nothing is left in it.
CREATE FUNCTION repo_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM repo WHERE key = NEW.key)
  THEN
    RAISE EXCEPTION 'waybill:repo_exists: there is a repo of this key';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repo_insert BEFORE INSERT ON repo FOR EACH ROW EXECUTE FUNCTION repo_insert();
CREATE FUNCTION repo_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.key IS DISTINCT FROM OLD.key
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a repo keeps its key';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repo_update BEFORE UPDATE ON repo FOR EACH ROW EXECUTE FUNCTION repo_update();
CREATE FUNCTION repo_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM version WHERE repo = OLD.key) OR EXISTS (SELECT 1 FROM package WHERE repo = OLD.key)
  THEN
    RAISE EXCEPTION 'waybill:repo_not_empty: a repo that holds packages is not deleted';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER repo_delete BEFORE DELETE ON repo FOR EACH ROW EXECUTE FUNCTION repo_delete();

-- What a draft or a version that can be downloaded refers to stays readable.
CREATE FUNCTION repo_blob_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM repo_blob WHERE repo = NEW.repo AND digest = NEW.digest AND size IS DISTINCT FROM NEW.size)
    OR NOT is_repo(NEW.repo)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a blob has one size, and belongs to a repo that exists';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER repo_blob_insert BEFORE INSERT ON repo_blob FOR EACH ROW EXECUTE FUNCTION repo_blob_insert();
CREATE FUNCTION repo_blob_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a blob is never changed';
END $$;
CREATE TRIGGER repo_blob_update BEFORE UPDATE ON repo_blob FOR EACH ROW EXECUTE FUNCTION repo_blob_update();
CREATE FUNCTION repo_blob_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM version_entry JOIN version ON version.id = version_entry.version
    WHERE version_entry.digest = OLD.digest AND version.repo = OLD.repo AND version.state <> 'tombstoned')
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a draft or a version refers to this blob';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER repo_blob_delete BEFORE DELETE ON repo_blob FOR EACH ROW EXECUTE FUNCTION repo_blob_delete();

-- A package is named once.
CREATE FUNCTION package_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM package WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM package WHERE repo = NEW.repo AND type = NEW.type AND name = NEW.name)
    OR NOT is_repo(NEW.repo)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a package of this id or name exists, or its repo does not';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER package_insert BEFORE INSERT ON package FOR EACH ROW EXECUTE FUNCTION package_insert();
CREATE FUNCTION package_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.repo IS DISTINCT FROM OLD.repo OR NEW.type IS DISTINCT FROM OLD.type OR NEW.name IS DISTINCT FROM OLD.name
    OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.created_by IS DISTINCT FROM OLD.created_by OR NEW.events < OLD.events
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a package keeps its name, and its events are counted up';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER package_update BEFORE UPDATE ON package FOR EACH ROW EXECUTE FUNCTION package_update();
CREATE FUNCTION package_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM version WHERE package = OLD.id)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a package that has versions is not deleted';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER package_delete BEFORE DELETE ON package FOR EACH ROW EXECUTE FUNCTION package_delete();

-- A version is born a draft, keeps its coordinate, is published once, and can then only be tombstoned. The guard before
-- insert stands for the delete trigger, which INSERT OR REPLACE does not fire.
CREATE FUNCTION version_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'draft' OR EXISTS (SELECT 1 FROM version WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM version WHERE package = NEW.package AND version = NEW.version)
    OR NOT is_package(NEW.package, NEW.repo)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: a version is made as a draft, once, in its own package';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_insert BEFORE INSERT ON version FOR EACH ROW EXECUTE FUNCTION version_insert();
CREATE FUNCTION version_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.package IS DISTINCT FROM OLD.package OR NEW.repo IS DISTINCT FROM OLD.repo
    OR NEW.version IS DISTINCT FROM OLD.version OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.created_by IS DISTINCT FROM OLD.created_by
    OR (OLD.state = 'draft' AND NEW.state = 'tombstoned')
    OR OLD.state = 'tombstoned'
    OR (OLD.state = 'published' AND (NEW.state <> 'tombstoned'
    OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.run IS DISTINCT FROM OLD.run OR NEW.gates IS DISTINCT FROM OLD.gates
    OR NEW.event_seq IS DISTINCT FROM OLD.event_seq OR NEW.expires_at IS DISTINCT FROM OLD.expires_at
    OR NEW.published_at IS DISTINCT FROM OLD.published_at OR NEW.published_by IS DISTINCT FROM OLD.published_by))
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: a version keeps its coordinate; once published it can only be tombstoned';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_update BEFORE UPDATE ON version FOR EACH ROW EXECUTE FUNCTION version_update();
CREATE FUNCTION version_publish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'draft' AND NEW.state = 'published' AND (
    NOT EXISTS (SELECT 1 FROM version_entry WHERE version = NEW.id)
    OR NOT EXISTS (SELECT 1 FROM version_manifest WHERE version = NEW.id)
    OR EXISTS (SELECT 1 FROM version_entry AS entry WHERE entry.version = NEW.id
    AND NOT EXISTS (SELECT 1 FROM repo_blob WHERE repo_blob.repo = NEW.repo AND repo_blob.digest = entry.digest
    AND repo_blob.size = entry.size)))
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: a version is published with entries, a manifest, and blobs that are there';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_publish BEFORE UPDATE ON version FOR EACH ROW EXECUTE FUNCTION version_publish();
CREATE FUNCTION version_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'draft' OR EXISTS (SELECT 1 FROM version_entry WHERE version = OLD.id)
    OR EXISTS (SELECT 1 FROM version_manifest WHERE version = OLD.id)
    OR EXISTS (SELECT 1 FROM version_attestation WHERE version = OLD.id)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: only a draft is deleted, when nothing is left in it';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER version_delete BEFORE DELETE ON version FOR EACH ROW EXECUTE FUNCTION version_delete();

-- Entries and manifest change while their version is a draft, and never after.
CREATE FUNCTION version_entry_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_draft(NEW.version)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: only a draft is given entries';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_entry_insert BEFORE INSERT ON version_entry FOR EACH ROW EXECUTE FUNCTION version_entry_insert();
CREATE FUNCTION version_entry_blob() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM repo_blob JOIN version ON version.repo = repo_blob.repo
    WHERE version.id = NEW.version AND repo_blob.digest = NEW.digest AND repo_blob.size = NEW.size
    FOR KEY SHARE OF repo_blob;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'waybill:blob_not_found: the blob of an entry is in the repo of its version';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_entry_blob BEFORE INSERT ON version_entry FOR EACH ROW EXECUTE FUNCTION version_entry_blob();
CREATE FUNCTION version_entry_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:version_immutable: an entry is removed and given again, not changed';
END $$;
CREATE TRIGGER version_entry_update BEFORE UPDATE ON version_entry FOR EACH ROW EXECUTE FUNCTION version_entry_update();
CREATE FUNCTION version_entry_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_draft(OLD.version)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: only a draft loses entries';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER version_entry_delete BEFORE DELETE ON version_entry FOR EACH ROW EXECUTE FUNCTION version_entry_delete();

CREATE FUNCTION version_manifest_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_draft(NEW.version)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: only a draft is given a manifest';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_manifest_insert BEFORE INSERT ON version_manifest FOR EACH ROW EXECUTE FUNCTION version_manifest_insert();
CREATE FUNCTION version_manifest_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:version_immutable: a manifest is removed and given again, not changed';
END $$;
CREATE TRIGGER version_manifest_update BEFORE UPDATE ON version_manifest FOR EACH ROW EXECUTE FUNCTION version_manifest_update();
CREATE FUNCTION version_manifest_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_draft(OLD.version)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: only a draft loses its manifest';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER version_manifest_delete BEFORE DELETE ON version_manifest FOR EACH ROW EXECUTE FUNCTION version_manifest_delete();

CREATE FUNCTION version_attestation_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_draft(NEW.version)
    OR EXISTS (SELECT 1 FROM version_attestation WHERE version = NEW.version)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: a version is attested once, when it is published';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER version_attestation_insert BEFORE INSERT ON version_attestation FOR EACH ROW EXECUTE FUNCTION version_attestation_insert();
CREATE FUNCTION version_attestation_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:version_immutable: an attestation is never changed';
END $$;
CREATE TRIGGER version_attestation_update BEFORE UPDATE ON version_attestation FOR EACH ROW EXECUTE FUNCTION version_attestation_update();
CREATE FUNCTION version_attestation_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_draft(OLD.version)
  THEN
    RAISE EXCEPTION 'waybill:version_immutable: only a draft loses its attestation';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER version_attestation_delete BEFORE DELETE ON version_attestation FOR EACH ROW EXECUTE FUNCTION version_attestation_delete();

-- A tag points to a version of its package that is published.
CREATE FUNCTION tag_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT is_published(NEW.version, NEW.package)
  THEN
    RAISE EXCEPTION 'waybill:version_not_found: a tag points to a published version of its package';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tag_insert BEFORE INSERT ON tag FOR EACH ROW EXECUTE FUNCTION tag_insert();
CREATE FUNCTION tag_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.package IS DISTINCT FROM OLD.package OR NEW.tag IS DISTINCT FROM OLD.tag
    OR NOT is_published(NEW.version, NEW.package)
  THEN
    RAISE EXCEPTION 'waybill:version_not_found: a tag points to a published version of its package';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tag_update BEFORE UPDATE ON tag FOR EACH ROW EXECUTE FUNCTION tag_update();

-- PostgreSQL also has TRUNCATE to refuse.
CREATE FUNCTION registry_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:version_immutable: the registry is not emptied';
END $$;
CREATE TRIGGER repo_truncate BEFORE TRUNCATE ON repo FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
CREATE TRIGGER repo_blob_truncate BEFORE TRUNCATE ON repo_blob FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
CREATE TRIGGER package_truncate BEFORE TRUNCATE ON package FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
CREATE TRIGGER version_truncate BEFORE TRUNCATE ON version FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
CREATE TRIGGER version_entry_truncate BEFORE TRUNCATE ON version_entry FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
CREATE TRIGGER version_manifest_truncate BEFORE TRUNCATE ON version_manifest FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
CREATE TRIGGER version_attestation_truncate BEFORE TRUNCATE ON version_attestation FOR EACH STATEMENT EXECUTE FUNCTION registry_truncate();
