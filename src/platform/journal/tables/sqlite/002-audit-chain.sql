-- The audit as one chain. A record is written with its change and sealed right after: it gets its place, the digest of
-- the record before it and its own. Sealing inside the change would make every writer wait for every other.
ALTER TABLE audit ADD COLUMN position INTEGER CHECK (position > 0);
ALTER TABLE audit ADD COLUMN previous TEXT CHECK (length(previous) = 71);
ALTER TABLE audit ADD COLUMN digest TEXT CHECK (length(digest) = 71);
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
  name TEXT PRIMARY KEY NOT NULL CHECK (name = 'audit'),
  position INTEGER NOT NULL CHECK (position >= 0),
  digest TEXT NOT NULL CHECK (length(digest) = 71)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_chain (name, position, digest)
VALUES ('audit', 0, 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
CREATE TRIGGER audit_chain_insert BEFORE INSERT ON audit_chain
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:the audit is one chain'); END;
CREATE TRIGGER audit_chain_update BEFORE UPDATE ON audit_chain
WHEN NEW.name IS NOT OLD.name OR NEW.position <= OLD.position OR NEW.digest IS OLD.digest
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:the audit chain only grows'); END;
CREATE TRIGGER audit_chain_delete BEFORE DELETE ON audit_chain
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:the audit chain only grows'); END;

-- A record is sealed once, and nothing else of it ever changes. REPLACE fires no delete trigger, so a place that is taken
-- is refused here too.
DROP TRIGGER audit_insert;
CREATE TRIGGER audit_insert BEFORE INSERT ON audit
WHEN NEW.position IS NOT NULL OR NEW.previous IS NOT NULL OR NEW.digest IS NOT NULL
  OR EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an audit record of this id exists already, or it is sealed by hand'); END;
DROP TRIGGER audit_update;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
WHEN OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.previous IS NULL OR NEW.digest IS NULL
  OR NEW.id IS NOT OLD.id OR NEW.at IS NOT OLD.at OR NEW.actor IS NOT OLD.actor OR NEW.action IS NOT OLD.action
  OR NEW.resource IS NOT OLD.resource OR NEW.outcome IS NOT OLD.outcome OR NEW.reason IS NOT OLD.reason
  OR NEW.correlation_id IS NOT OLD.correlation_id OR NEW.details IS NOT OLD.details
  OR NEW.position > (SELECT position FROM audit_chain)
  OR EXISTS (SELECT 1 FROM audit WHERE position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an audit record is never changed or deleted, only sealed once'); END;

-- An event is written once, handed to the webhooks once, and kept.
DROP TRIGGER outbox_unchanged;
CREATE TRIGGER outbox_insert BEFORE INSERT ON outbox
WHEN NEW.delivered_at IS NOT NULL OR EXISTS (SELECT 1 FROM outbox WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM outbox WHERE aggregate = NEW.aggregate AND aggregate_seq = NEW.aggregate_seq)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an outbox event of this id exists already, or it is marked by hand'); END;
CREATE TRIGGER outbox_update BEFORE UPDATE ON outbox
WHEN OLD.delivered_at IS NOT NULL OR NEW.delivered_at IS NULL OR NEW.id IS NOT OLD.id
  OR NEW.aggregate IS NOT OLD.aggregate OR NEW.aggregate_seq IS NOT OLD.aggregate_seq OR NEW.type IS NOT OLD.type
  OR NEW.payload IS NOT OLD.payload OR NEW.at IS NOT OLD.at OR NEW.traceparent IS NOT OLD.traceparent
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an outbox event is never changed, only marked as delivered'); END;
CREATE TRIGGER outbox_delete BEFORE DELETE ON outbox
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an outbox event is kept'); END;
