-- Who may call the API. Of a token only its digest is kept: reading the store gives nobody a token.
CREATE TABLE api_token (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C" NOT NULL CHECK (role IN ('reader', 'writer', 'admin')),
  digest TEXT COLLATE "C" NOT NULL CHECK (length(digest) = 71),
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  revoked_at BIGINT,
  revoked_by TEXT COLLATE "C",
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX api_token_by_digest ON api_token (digest);
-- A name may be given again once the token that had it is revoked.
CREATE UNIQUE INDEX api_token_by_name ON api_token (name) WHERE revoked_at IS NULL;

-- A token is made, and revoked once; nothing else ever happens to it. PostgreSQL also has TRUNCATE to refuse.
CREATE FUNCTION api_token_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_constraint: a token is not made revoked';
END $$;
CREATE TRIGGER api_token_insert BEFORE INSERT ON api_token FOR EACH ROW
  WHEN (NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION api_token_insert();
CREATE FUNCTION api_token_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a token is never changed, only revoked, once';
END $$;
CREATE TRIGGER api_token_update BEFORE UPDATE ON api_token FOR EACH ROW
  WHEN (OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL
    OR (NEW.id, NEW.name, NEW.actor, NEW.role, NEW.digest, NEW.created_at, NEW.created_by)
      IS DISTINCT FROM (OLD.id, OLD.name, OLD.actor, OLD.role, OLD.digest, OLD.created_at, OLD.created_by))
  EXECUTE FUNCTION api_token_update();
CREATE FUNCTION api_token_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: a token is never deleted';
END $$;
CREATE TRIGGER api_token_delete BEFORE DELETE ON api_token FOR EACH ROW EXECUTE FUNCTION api_token_delete();
CREATE TRIGGER api_token_truncate BEFORE TRUNCATE ON api_token FOR EACH STATEMENT EXECUTE FUNCTION api_token_delete();
