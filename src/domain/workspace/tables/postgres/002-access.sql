-- A token has a role in the workspace, or grants in single repos, or both; it may expire; and its roles may be changed.
DROP TRIGGER api_token_update ON api_token;
ALTER TABLE api_token DROP CONSTRAINT api_token_role_check;
ALTER TABLE api_token ALTER COLUMN role DROP NOT NULL;
-- Canonical JSON: [{"repo":KEY,"role":"read" | "write" | "publish" | "admin"}], by key.
ALTER TABLE api_token ADD COLUMN grants TEXT COLLATE "C" NOT NULL DEFAULT '[]';
ALTER TABLE api_token ALTER COLUMN grants DROP DEFAULT;
ALTER TABLE api_token ADD COLUMN expires_at BIGINT;
UPDATE api_token SET role = CASE role WHEN 'reader' THEN 'auditor' WHEN 'writer' THEN 'runner' ELSE 'admin' END;
ALTER TABLE api_token ADD CONSTRAINT api_token_role_check CHECK (role IN ('runner', 'operator', 'auditor', 'admin'));
ALTER TABLE api_token ADD CONSTRAINT api_token_rights_check CHECK (role IS NOT NULL OR grants <> '[]');

-- When a token was last used, told by each process once a minute: no part of what the guards keep.
CREATE TABLE api_token_use (
  token TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  used_at BIGINT NOT NULL
);

-- A token is made, its roles are changed, and it is revoked once; nothing else ever happens to it.
CREATE OR REPLACE FUNCTION api_token_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: of a token only its roles are changed, and it is revoked once';
END $$;
CREATE TRIGGER api_token_update BEFORE UPDATE ON api_token FOR EACH ROW
  WHEN (OLD.revoked_at IS NOT NULL
    OR (NEW.id, NEW.name, NEW.actor, NEW.digest, NEW.created_at, NEW.created_by, NEW.expires_at)
      IS DISTINCT FROM (OLD.id, OLD.name, OLD.actor, OLD.digest, OLD.created_at, OLD.created_by, OLD.expires_at)
    OR (NEW.revoked_at IS NOT NULL AND (NEW.role, NEW.grants) IS DISTINCT FROM (OLD.role, OLD.grants)))
  EXECUTE FUNCTION api_token_update();
