-- Who may call the API. Of a token only its digest is kept: reading the store gives nobody a token.
CREATE TABLE api_token (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  actor TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('reader', 'writer', 'admin')),
  digest TEXT NOT NULL CHECK (length(digest) = 71),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  revoked_at INTEGER,
  revoked_by TEXT,
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX api_token_by_digest ON api_token (digest);
-- A name may be given again once the token that had it is revoked.
CREATE UNIQUE INDEX api_token_by_name ON api_token (name) WHERE revoked_at IS NULL;

-- A token is made, and revoked once; nothing else ever happens to it. The delete trigger does not fire for INSERT OR
-- REPLACE, so the guard before insert refuses whatever a unique index would let it replace.
CREATE TRIGGER api_token_insert BEFORE INSERT ON api_token
WHEN NEW.revoked_at IS NOT NULL
  OR EXISTS (SELECT 1 FROM api_token WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM api_token WHERE digest = NEW.digest)
  OR EXISTS (SELECT 1 FROM api_token WHERE name = NEW.name AND revoked_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'waybill:store_constraint: a token of this id, digest or name exists, or it is made revoked'); END;
CREATE TRIGGER api_token_update BEFORE UPDATE ON api_token
WHEN OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
  OR NEW.id IS NOT OLD.id OR NEW.name IS NOT OLD.name OR NEW.actor IS NOT OLD.actor OR NEW.role IS NOT OLD.role
  OR NEW.digest IS NOT OLD.digest OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a token is never changed, only revoked, once'); END;
CREATE TRIGGER api_token_delete BEFORE DELETE ON api_token
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a token is never deleted'); END;
