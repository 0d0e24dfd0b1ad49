-- Who did what, and how it ended. Without a secondary index until something reads it: every change writes here.
CREATE TABLE audit (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  action TEXT COLLATE "C" NOT NULL,
  resource TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('succeeded', 'refused', 'failed')),
  reason TEXT COLLATE "C",
  correlation_id TEXT COLLATE "C",
  details TEXT COLLATE "C"
);

-- Events that leave the system, written with the change they announce. The relay asks for rows that are not marked,
-- never for ids beyond the last one: a transaction that commits late has an id lower than what was delivered before.
CREATE TABLE outbox (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  aggregate TEXT COLLATE "C" NOT NULL,
  aggregate_seq BIGINT NOT NULL CHECK (aggregate_seq > 0),
  type TEXT COLLATE "C" NOT NULL,
  payload TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  traceparent TEXT COLLATE "C",
  delivered_at BIGINT
);
CREATE UNIQUE INDEX outbox_by_aggregate ON outbox (aggregate, aggregate_seq);
CREATE INDEX outbox_pending ON outbox (id) WHERE delivered_at IS NULL;

-- Append-only, as on SQLite; PostgreSQL also has TRUNCATE to refuse.
CREATE FUNCTION audit_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:an audit record is never changed or deleted';
END $$;
CREATE TRIGGER audit_unchanged BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_unchanged();
CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_unchanged();
CREATE FUNCTION outbox_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:an outbox event is never changed, only marked as delivered';
END $$;
CREATE TRIGGER outbox_unchanged BEFORE UPDATE OF aggregate, aggregate_seq, type, payload, at, traceparent ON outbox
  FOR EACH ROW EXECUTE FUNCTION outbox_unchanged();
