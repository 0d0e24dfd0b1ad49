-- The audit as one chain. A record is written with its change and sealed right after: it gets its place, the digest of
-- the record before it and its own. Transactions commit in another order than they insert, so sealing inside the change
-- would make every writer wait for every other.
ALTER TABLE audit ADD COLUMN position BIGINT CHECK (position > 0);
ALTER TABLE audit ADD COLUMN previous TEXT COLLATE "C" CHECK (length(previous) = 71);
ALTER TABLE audit ADD COLUMN digest TEXT COLLATE "C" CHECK (length(digest) = 71);
CREATE UNIQUE INDEX audit_by_position ON audit (position) WHERE position IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (id) WHERE position IS NULL;

-- What people ask for: when, who, what, to what; and what did not succeed, which is rare.
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_actor ON audit (actor, at, id);
CREATE INDEX audit_by_action ON audit (action, at, id);
CREATE INDEX audit_by_resource ON audit (resource, at, id);
CREATE INDEX audit_not_succeeded ON audit (outcome, at, id) WHERE outcome <> 'succeeded';

-- Where the chain ends. Who seals moves it first, from the end it has read: of two at once one seals.
CREATE TABLE audit_chain (
  name TEXT COLLATE "C" PRIMARY KEY NOT NULL CHECK (name = 'audit'),
  position BIGINT NOT NULL CHECK (position >= 0),
  digest TEXT COLLATE "C" NOT NULL CHECK (length(digest) = 71)
);
INSERT INTO audit_chain (name, position, digest)
VALUES ('audit', 0, 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
CREATE FUNCTION audit_chain_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.name = OLD.name AND NEW.position > OLD.position AND NEW.digest <> OLD.digest THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION 'waybill:store_immutable:the audit is one chain, which only grows';
END $$;
CREATE TRIGGER audit_chain_grows BEFORE INSERT OR UPDATE OR DELETE ON audit_chain
  FOR EACH ROW EXECUTE FUNCTION audit_chain_grows();
CREATE TRIGGER audit_chain_truncate BEFORE TRUNCATE ON audit_chain
  FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_grows();

-- A record is sealed once, and nothing else of it ever changes.
DROP TRIGGER audit_unchanged ON audit;
CREATE FUNCTION audit_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:an audit record is not sealed by hand';
END $$;
CREATE TRIGGER audit_inserted BEFORE INSERT ON audit FOR EACH ROW
  WHEN (NEW.position IS NOT NULL OR NEW.previous IS NOT NULL OR NEW.digest IS NOT NULL)
  EXECUTE FUNCTION audit_inserted();
CREATE FUNCTION audit_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.position > (SELECT position FROM audit_chain) THEN
    RAISE EXCEPTION 'waybill:store_immutable:an audit record is sealed within the chain';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_sealed BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_sealed();
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit FOR EACH ROW
  WHEN (OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.previous IS NULL OR NEW.digest IS NULL
    OR (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.resource, NEW.outcome, NEW.reason, NEW.correlation_id, NEW.details)
      IS DISTINCT FROM
      (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.resource, OLD.outcome, OLD.reason, OLD.correlation_id, OLD.details))
  EXECUTE FUNCTION audit_unchanged();
CREATE TRIGGER audit_kept BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_unchanged();

-- An event is written once, handed to the webhooks once, and kept.
DROP TRIGGER outbox_unchanged ON outbox;
CREATE TRIGGER outbox_inserted BEFORE INSERT ON outbox FOR EACH ROW
  WHEN (NEW.delivered_at IS NOT NULL) EXECUTE FUNCTION outbox_unchanged();
CREATE TRIGGER outbox_unchanged BEFORE UPDATE ON outbox FOR EACH ROW
  WHEN (OLD.delivered_at IS NOT NULL OR NEW.delivered_at IS NULL
    OR (NEW.id, NEW.aggregate, NEW.aggregate_seq, NEW.type, NEW.payload, NEW.at, NEW.traceparent)
      IS DISTINCT FROM
      (OLD.id, OLD.aggregate, OLD.aggregate_seq, OLD.type, OLD.payload, OLD.at, OLD.traceparent))
  EXECUTE FUNCTION outbox_unchanged();
CREATE TRIGGER outbox_kept BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_unchanged();
CREATE TRIGGER outbox_truncate BEFORE TRUNCATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_unchanged();
