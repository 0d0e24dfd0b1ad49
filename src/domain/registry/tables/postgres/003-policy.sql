-- Rules are data: what they block is decided by what they say, never by who asks. A rule is made, and ended once.
CREATE TABLE policy_rule (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  -- Null for all repos.
  repo TEXT COLLATE "C",
  kind TEXT COLLATE "C" NOT NULL,
  -- Canonical JSON.
  parameters TEXT COLLATE "C" NOT NULL,
  blocks TEXT COLLATE "C" NOT NULL CHECK (blocks IN ('publish', 'download', 'both')),
  reason TEXT COLLATE "C" NOT NULL,
  made_at BIGINT NOT NULL,
  made_by TEXT COLLATE "C" NOT NULL,
  removed_at BIGINT,
  removed_by TEXT COLLATE "C",
  CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE INDEX policy_rule_by_repo ON policy_rule (repo, made_at, id);
CREATE INDEX policy_rule_standing ON policy_rule (repo, id) WHERE removed_at IS NULL;

-- A version that a rule keeps from being downloaded: rows of their own, because a published version is never changed.
CREATE TABLE quarantine (
  repo TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  rule TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  released_at BIGINT,
  PRIMARY KEY (version, rule)
);
CREATE INDEX quarantine_by_rule ON quarantine (rule, version);
CREATE INDEX quarantine_by_repo ON quarantine (repo, at, version, rule);
CREATE INDEX quarantine_open ON quarantine (repo, at, version, rule) WHERE released_at IS NULL;

-- The versions of a package by age, for lists; those that are published by when they were, for the newest.
CREATE INDEX version_by_age ON version (package, created_at, id);
CREATE INDEX version_by_publication ON version (package, published_at, id) WHERE state = 'published';

-- One row: whoever publishes shares its lock, whoever makes or removes a rule has it alone, so that no version is
-- published past a rule that is just being made.
CREATE TABLE policy_lock (
  id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1)
);
INSERT INTO policy_lock (id) VALUES (1);

CREATE FUNCTION policy_rule_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.removed_at IS NOT NULL OR EXISTS (SELECT 1 FROM policy_rule WHERE id = NEW.id)
    OR (NEW.repo IS NOT NULL AND NOT is_repo(NEW.repo))
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a rule is made once, stands when it is made, and is of a repo that exists';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_rule_insert BEFORE INSERT ON policy_rule FOR EACH ROW EXECUTE FUNCTION policy_rule_insert();
CREATE FUNCTION policy_rule_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.repo IS DISTINCT FROM OLD.repo OR NEW.kind IS DISTINCT FROM OLD.kind
    OR NEW.parameters IS DISTINCT FROM OLD.parameters OR NEW.blocks IS DISTINCT FROM OLD.blocks
    OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.made_at IS DISTINCT FROM OLD.made_at
    OR NEW.made_by IS DISTINCT FROM OLD.made_by OR OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a rule is never changed, only ended, and once';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_rule_update BEFORE UPDATE ON policy_rule FOR EACH ROW EXECUTE FUNCTION policy_rule_update();
CREATE FUNCTION policy_rule_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a rule is ended, and stays on record';
END $$;
CREATE TRIGGER policy_rule_delete BEFORE DELETE ON policy_rule FOR EACH ROW EXECUTE FUNCTION policy_rule_delete();

CREATE FUNCTION quarantine_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM version WHERE id = NEW.version AND repo = NEW.repo AND state = 'published' FOR SHARE;
  IF NOT FOUND OR NEW.released_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM quarantine WHERE version = NEW.version AND rule = NEW.rule)
    OR NOT EXISTS (SELECT 1 FROM policy_rule WHERE id = NEW.rule AND removed_at IS NULL AND blocks <> 'publish')
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a published version is quarantined by a rule that stands, and once';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER quarantine_insert BEFORE INSERT ON quarantine FOR EACH ROW EXECUTE FUNCTION quarantine_insert();
CREATE FUNCTION quarantine_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.repo IS DISTINCT FROM OLD.repo OR NEW.version IS DISTINCT FROM OLD.version OR NEW.rule IS DISTINCT FROM OLD.rule OR NEW.reason IS DISTINCT FROM OLD.reason
    OR NEW.at IS DISTINCT FROM OLD.at OR OLD.released_at IS NOT NULL OR NEW.released_at IS NULL
    OR NOT EXISTS (SELECT 1 FROM policy_rule WHERE id = NEW.rule AND removed_at IS NOT NULL)
  THEN
    RAISE EXCEPTION 'waybill:store_immutable: a quarantine ends once, with its rule';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER quarantine_update BEFORE UPDATE ON quarantine FOR EACH ROW EXECUTE FUNCTION quarantine_update();
CREATE FUNCTION quarantine_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a quarantine stays on record';
END $$;
CREATE TRIGGER quarantine_delete BEFORE DELETE ON quarantine FOR EACH ROW EXECUTE FUNCTION quarantine_delete();

CREATE FUNCTION policy_lock_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: there is one lock';
END $$;
CREATE TRIGGER policy_lock_change BEFORE INSERT OR UPDATE OR DELETE ON policy_lock
  FOR EACH ROW EXECUTE FUNCTION policy_lock_change();

-- PostgreSQL also has TRUNCATE to refuse.
CREATE FUNCTION policy_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: rules and quarantines stay on record';
END $$;
CREATE TRIGGER policy_rule_truncate BEFORE TRUNCATE ON policy_rule FOR EACH STATEMENT EXECUTE FUNCTION policy_truncate();
CREATE TRIGGER quarantine_truncate BEFORE TRUNCATE ON quarantine FOR EACH STATEMENT EXECUTE FUNCTION policy_truncate();
CREATE TRIGGER policy_lock_truncate BEFORE TRUNCATE ON policy_lock FOR EACH STATEMENT EXECUTE FUNCTION policy_truncate();
