-- Who is told of what leaves through the outbox. Its secret is derived from the key of the workspace and is nowhere here;
-- `key_id` says of which key, so that nobody signs with another one.
CREATE TABLE webhook (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  url TEXT COLLATE "C" NOT NULL,
  -- Types of events as canonical JSON; an empty list is all of them.
  types TEXT COLLATE "C" NOT NULL,
  key_id TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  removed_at BIGINT,
  removed_by TEXT COLLATE "C",
  CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE UNIQUE INDEX webhook_by_url ON webhook (url) WHERE removed_at IS NULL;

-- One row for each event and webhook, written when the event is handed over. The key is in the order of delivery.
CREATE TABLE outbox_delivery (
  webhook TEXT COLLATE "C" NOT NULL,
  aggregate TEXT COLLATE "C" NOT NULL,
  aggregate_seq BIGINT NOT NULL CHECK (aggregate_seq > 0),
  -- The row of the outbox that holds the event.
  outbox BIGINT NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  -- Tries that came to an end since it was last begun or begun again.
  attempts BIGINT NOT NULL CHECK (attempts >= 0),
  -- Raised with each claim: who comes back with the answer to an older claim changes nothing.
  claim BIGINT NOT NULL CHECK (claim >= 0),
  due_at BIGINT NOT NULL,
  -- Until when it belongs to who has claimed it; null when nobody has.
  claimed_until BIGINT,
  last_at BIGINT,
  -- The HTTP status, when there was an answer, or why there was none. Never a word of the receiver's own.
  last_status BIGINT,
  last_error TEXT COLLATE "C",
  made_at BIGINT NOT NULL,
  delivered_at BIGINT,
  PRIMARY KEY (webhook, aggregate, aggregate_seq),
  CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
  CHECK (state = 'pending' OR claimed_until IS NULL)
);
CREATE INDEX outbox_delivery_due ON outbox_delivery (webhook, due_at) WHERE state = 'pending';
CREATE INDEX outbox_delivery_in_order ON outbox_delivery (webhook, outbox);
CREATE INDEX outbox_delivery_by_state ON outbox_delivery (webhook, state, outbox);

-- Who decides which webhooks an event is for holds this row: events are handed over one after the other, and never beside
-- a webhook that is being made or removed.
CREATE TABLE outbox_handover (
  name TEXT COLLATE "C" PRIMARY KEY NOT NULL CHECK (name = 'webhooks')
);
INSERT INTO outbox_handover (name) VALUES ('webhooks');

CREATE FUNCTION webhook_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:a webhook is never changed, only removed';
END $$;
CREATE TRIGGER webhook_inserted BEFORE INSERT ON webhook FOR EACH ROW
  WHEN (NEW.removed_at IS NOT NULL) EXECUTE FUNCTION webhook_kept();
CREATE TRIGGER webhook_updated BEFORE UPDATE ON webhook FOR EACH ROW
  WHEN (OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
    OR (NEW.id, NEW.url, NEW.types, NEW.key_id, NEW.created_at, NEW.created_by)
      IS DISTINCT FROM (OLD.id, OLD.url, OLD.types, OLD.key_id, OLD.created_at, OLD.created_by))
  EXECUTE FUNCTION webhook_kept();
CREATE TRIGGER webhook_deleted BEFORE DELETE ON webhook FOR EACH ROW EXECUTE FUNCTION webhook_kept();
CREATE TRIGGER webhook_truncated BEFORE TRUNCATE ON webhook FOR EACH STATEMENT EXECUTE FUNCTION webhook_kept();

CREATE FUNCTION outbox_delivery_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:a delivery is only claimed, ended, and begun again';
END $$;
CREATE FUNCTION outbox_delivery_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'pending' OR NOT EXISTS (SELECT 1 FROM webhook WHERE id = NEW.webhook AND removed_at IS NULL)
    OR NOT EXISTS (SELECT 1 FROM outbox WHERE id = NEW.outbox AND aggregate = NEW.aggregate
      AND aggregate_seq = NEW.aggregate_seq AND type = NEW.type)
  THEN RAISE EXCEPTION 'waybill:store_immutable:a delivery is of an event to a webhook, and there is one of each'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER outbox_delivery_inserted BEFORE INSERT ON outbox_delivery
  FOR EACH ROW EXECUTE FUNCTION outbox_delivery_inserted();
CREATE TRIGGER outbox_delivery_updated BEFORE UPDATE ON outbox_delivery FOR EACH ROW
  WHEN ((NEW.webhook, NEW.aggregate, NEW.aggregate_seq, NEW.outbox, NEW.type, NEW.made_at)
      IS DISTINCT FROM (OLD.webhook, OLD.aggregate, OLD.aggregate_seq, OLD.outbox, OLD.type, OLD.made_at)
    OR NEW.claim < OLD.claim OR (OLD.state <> 'pending' AND NEW.state <> 'pending'))
  EXECUTE FUNCTION outbox_delivery_kept();
CREATE TRIGGER outbox_delivery_deleted BEFORE DELETE ON outbox_delivery
  FOR EACH ROW EXECUTE FUNCTION outbox_delivery_kept();
CREATE TRIGGER outbox_delivery_truncated BEFORE TRUNCATE ON outbox_delivery
  FOR EACH STATEMENT EXECUTE FUNCTION outbox_delivery_kept();
CREATE FUNCTION outbox_handover_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable:there is one handover';
END $$;
CREATE TRIGGER outbox_handover_kept BEFORE INSERT OR DELETE ON outbox_handover
  FOR EACH ROW EXECUTE FUNCTION outbox_handover_kept();
CREATE TRIGGER outbox_handover_truncated BEFORE TRUNCATE ON outbox_handover
  FOR EACH STATEMENT EXECUTE FUNCTION outbox_handover_kept();
