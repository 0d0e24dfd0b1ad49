-- Rules are data: what they block is decided by what they say, never by who asks. A rule is made, and ended once.
CREATE TABLE policy_rule (
  id TEXT PRIMARY KEY NOT NULL,
  -- Null for all repos.
  repo TEXT,
  kind TEXT NOT NULL,
  -- Canonical JSON.
  parameters TEXT NOT NULL,
  blocks TEXT NOT NULL CHECK (blocks IN ('publish', 'download', 'both')),
  reason TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  made_by TEXT NOT NULL,
  removed_at INTEGER,
  removed_by TEXT,
  CHECK ((removed_at IS NULL) = (removed_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_rule_by_repo ON policy_rule (repo, made_at, id);
CREATE INDEX policy_rule_standing ON policy_rule (repo, id) WHERE removed_at IS NULL;

-- A version that a rule keeps from being downloaded: rows of their own, because a published version is never changed.
CREATE TABLE quarantine (
  repo TEXT NOT NULL,
  version TEXT NOT NULL,
  rule TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  released_at INTEGER,
  PRIMARY KEY (version, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_by_rule ON quarantine (rule, version);
CREATE INDEX quarantine_by_repo ON quarantine (repo, at, version, rule);
CREATE INDEX quarantine_open ON quarantine (repo, at, version, rule) WHERE released_at IS NULL;

-- The versions of a package by age, for lists; those that are published by when they were, for the newest.
CREATE INDEX version_by_age ON version (package, created_at, id);
CREATE INDEX version_by_publication ON version (package, published_at, id) WHERE state = 'published';

-- One row: whoever publishes shares its lock, whoever makes or removes a rule has it alone, so that no version is
-- published past a rule that is just being made.
CREATE TABLE policy_lock (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1)
) STRICT, WITHOUT ROWID;
INSERT INTO policy_lock (id) VALUES (1);

CREATE TRIGGER policy_rule_insert BEFORE INSERT ON policy_rule
WHEN NEW.removed_at IS NOT NULL OR EXISTS (SELECT 1 FROM policy_rule WHERE id = NEW.id)
  OR (NEW.repo IS NOT NULL AND NOT EXISTS (SELECT 1 FROM repo WHERE key = NEW.repo))
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a rule is made once, stands when it is made, and is of a repo that exists'); END;
CREATE TRIGGER policy_rule_update BEFORE UPDATE ON policy_rule
WHEN NEW.id IS NOT OLD.id OR NEW.repo IS NOT OLD.repo OR NEW.kind IS NOT OLD.kind OR NEW.parameters IS NOT OLD.parameters
  OR NEW.blocks IS NOT OLD.blocks OR NEW.reason IS NOT OLD.reason OR NEW.made_at IS NOT OLD.made_at
  OR NEW.made_by IS NOT OLD.made_by OR OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a rule is never changed, only ended, and once'); END;
CREATE TRIGGER policy_rule_delete BEFORE DELETE ON policy_rule
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a rule is ended, and stays on record'); END;

CREATE TRIGGER quarantine_insert BEFORE INSERT ON quarantine
WHEN NEW.released_at IS NOT NULL OR EXISTS (SELECT 1 FROM quarantine WHERE version = NEW.version AND rule = NEW.rule)
  OR NOT EXISTS (SELECT 1 FROM version WHERE id = NEW.version AND repo = NEW.repo AND state = 'published')
  OR NOT EXISTS (SELECT 1 FROM policy_rule WHERE id = NEW.rule AND removed_at IS NULL AND blocks <> 'publish')
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a published version is quarantined by a rule that stands, and once'); END;
CREATE TRIGGER quarantine_update BEFORE UPDATE ON quarantine
WHEN NEW.repo IS NOT OLD.repo OR NEW.version IS NOT OLD.version OR NEW.rule IS NOT OLD.rule OR NEW.reason IS NOT OLD.reason OR NEW.at IS NOT OLD.at
  OR OLD.released_at IS NOT NULL OR NEW.released_at IS NULL
  OR NOT EXISTS (SELECT 1 FROM policy_rule WHERE id = NEW.rule AND removed_at IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a quarantine ends once, with its rule'); END;
CREATE TRIGGER quarantine_delete BEFORE DELETE ON quarantine
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a quarantine stays on record'); END;

CREATE TRIGGER policy_lock_insert BEFORE INSERT ON policy_lock
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: there is one lock'); END;
CREATE TRIGGER policy_lock_update BEFORE UPDATE ON policy_lock
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: there is one lock'); END;
CREATE TRIGGER policy_lock_delete BEFORE DELETE ON policy_lock
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: there is one lock'); END;
