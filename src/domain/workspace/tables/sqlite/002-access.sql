-- A token has a role in the workspace, or grants in single repos, or both; it may expire; and its roles may be changed.
-- SQLite cannot change a CHECK, so the table is made anew, its rows are carried over, and all its guards are made again.
CREATE TABLE api_token_next (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  actor TEXT NOT NULL,
  role TEXT CHECK (role IN ('runner', 'operator', 'auditor', 'admin')),
  -- Canonical JSON: [{"repo":KEY,"role":"read" | "write" | "publish" | "admin"}], by key.
  grants TEXT NOT NULL,
  digest TEXT NOT NULL CHECK (length(digest) = 71),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  revoked_by TEXT,
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
  CHECK (role IS NOT NULL OR grants <> '[]')
) STRICT, WITHOUT ROWID;
INSERT INTO api_token_next (id, name, actor, role, grants, digest, created_at, created_by, expires_at, revoked_at, revoked_by)
SELECT id, name, actor, CASE role WHEN 'reader' THEN 'auditor' WHEN 'writer' THEN 'runner' ELSE 'admin' END, '[]', digest,
  created_at, created_by, NULL, revoked_at, revoked_by FROM api_token;
DROP TABLE api_token;
ALTER TABLE api_token_next RENAME TO api_token;
CREATE UNIQUE INDEX api_token_by_digest ON api_token (digest);
-- A name may be given again once the token that had it is revoked.
CREATE UNIQUE INDEX api_token_by_name ON api_token (name) WHERE revoked_at IS NULL;

-- When a token was last used, told by each process once a minute: no part of what the guards keep.
CREATE TABLE api_token_use (
  token TEXT PRIMARY KEY NOT NULL,
  used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A token is made, its roles are changed, and it is revoked once; nothing else ever happens to it. The delete trigger
-- does not fire for INSERT OR REPLACE, so the guard before insert refuses whatever a unique index would let it replace.
CREATE TRIGGER api_token_insert BEFORE INSERT ON api_token
WHEN NEW.revoked_at IS NOT NULL
  OR EXISTS (SELECT 1 FROM api_token WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM api_token WHERE digest = NEW.digest)
  OR EXISTS (SELECT 1 FROM api_token WHERE name = NEW.name AND revoked_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'waybill:store_constraint: a token of this id, digest or name exists, or it is made revoked'); END;
CREATE TRIGGER api_token_update BEFORE UPDATE ON api_token
WHEN OLD.revoked_at IS NOT NULL
  OR NEW.id IS NOT OLD.id OR NEW.name IS NOT OLD.name OR NEW.actor IS NOT OLD.actor OR NEW.digest IS NOT OLD.digest
  OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by OR NEW.expires_at IS NOT OLD.expires_at
  OR (NEW.revoked_at IS NOT NULL AND (NEW.role IS NOT OLD.role OR NEW.grants IS NOT OLD.grants))
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: of a token only its roles are changed, and it is revoked once'); END;
CREATE TRIGGER api_token_delete BEFORE DELETE ON api_token
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a token is never deleted'); END;
