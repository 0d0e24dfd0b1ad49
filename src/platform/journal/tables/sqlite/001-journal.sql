-- Who did what, and how it ended. Without a secondary index until something reads it: every change writes here.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'refused', 'failed')),
  reason TEXT,
  correlation_id TEXT,
  details TEXT
) STRICT;

-- Events that leave the system, written with the change they announce. The relay asks for rows that are not marked,
-- never for ids beyond the last one: a transaction that commits late has an id lower than what was delivered before.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  aggregate TEXT NOT NULL,
  aggregate_seq INTEGER NOT NULL CHECK (aggregate_seq > 0),
  type TEXT NOT NULL,
  payload TEXT NOT NULL,
  at INTEGER NOT NULL,
  traceparent TEXT,
  delivered_at INTEGER
) STRICT;
CREATE UNIQUE INDEX outbox_by_aggregate ON outbox (aggregate, aggregate_seq);
CREATE INDEX outbox_pending ON outbox (id) WHERE delivered_at IS NULL;

-- Append-only. The delete trigger does not fire for INSERT OR REPLACE, so the guard before insert refuses an id that exists.
CREATE TRIGGER audit_insert BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an audit record of this id exists already'); END;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an audit record is never changed or deleted'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an audit record is never changed or deleted'); END;
CREATE TRIGGER outbox_unchanged BEFORE UPDATE OF aggregate, aggregate_seq, type, payload, at, traceparent ON outbox
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an outbox event is never changed, only marked as delivered'); END;
