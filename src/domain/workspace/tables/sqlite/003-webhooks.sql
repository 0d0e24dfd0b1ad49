-- Who is told of what leaves through the outbox. Its secret is derived from the key of the workspace and is nowhere here;
-- `key_id` says of which key, so that nobody signs with another one.
CREATE TABLE webhook (
  id TEXT PRIMARY KEY NOT NULL,
  url TEXT NOT NULL,
  -- Types of events as canonical JSON; an empty list is all of them.
  types TEXT NOT NULL,
  key_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  removed_at INTEGER,
  removed_by TEXT,
  CHECK ((removed_at IS NULL) = (removed_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webhook_by_url ON webhook (url) WHERE removed_at IS NULL;

-- One row for each event and webhook, written when the event is handed over. The key is in the order of delivery.
CREATE TABLE outbox_delivery (
  webhook TEXT NOT NULL,
  aggregate TEXT NOT NULL,
  aggregate_seq INTEGER NOT NULL CHECK (aggregate_seq > 0),
  -- The row of the outbox that holds the event.
  outbox INTEGER NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  -- Tries that came to an end since it was last begun or begun again.
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  -- Raised with each claim: who comes back with the answer to an older claim changes nothing.
  claim INTEGER NOT NULL CHECK (claim >= 0),
  due_at INTEGER NOT NULL,
  -- Until when it belongs to who has claimed it; null when nobody has.
  claimed_until INTEGER,
  last_at INTEGER,
  -- The HTTP status, when there was an answer, or why there was none. Never a word of the receiver's own.
  last_status INTEGER,
  last_error TEXT,
  made_at INTEGER NOT NULL,
  delivered_at INTEGER,
  PRIMARY KEY (webhook, aggregate, aggregate_seq),
  CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
  CHECK (state = 'pending' OR claimed_until IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_delivery_due ON outbox_delivery (webhook, due_at) WHERE state = 'pending';
CREATE INDEX outbox_delivery_in_order ON outbox_delivery (webhook, outbox);
CREATE INDEX outbox_delivery_by_state ON outbox_delivery (webhook, state, outbox);

-- Who decides which webhooks an event is for holds this row: events are handed over one after the other, and never beside
-- a webhook that is being made or removed.
CREATE TABLE outbox_handover (
  name TEXT PRIMARY KEY NOT NULL CHECK (name = 'webhooks')
) STRICT, WITHOUT ROWID;
INSERT INTO outbox_handover (name) VALUES ('webhooks');

CREATE TRIGGER webhook_insert BEFORE INSERT ON webhook
WHEN NEW.removed_at IS NOT NULL OR EXISTS (SELECT 1 FROM webhook WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM webhook WHERE url = NEW.url AND removed_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'waybill:webhook_exists:there is a webhook of this address'); END;
CREATE TRIGGER webhook_update BEFORE UPDATE ON webhook
WHEN OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL OR NEW.id IS NOT OLD.id OR NEW.url IS NOT OLD.url
  OR NEW.types IS NOT OLD.types OR NEW.key_id IS NOT OLD.key_id OR NEW.created_at IS NOT OLD.created_at
  OR NEW.created_by IS NOT OLD.created_by
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:a webhook is never changed, only removed'); END;
CREATE TRIGGER webhook_delete BEFORE DELETE ON webhook
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:a webhook is kept after it was removed'); END;

CREATE TRIGGER outbox_delivery_insert BEFORE INSERT ON outbox_delivery
WHEN NEW.state <> 'pending' OR NOT EXISTS (SELECT 1 FROM webhook WHERE id = NEW.webhook AND removed_at IS NULL)
  OR NOT EXISTS (SELECT 1 FROM outbox WHERE id = NEW.outbox AND aggregate = NEW.aggregate
    AND aggregate_seq = NEW.aggregate_seq AND type = NEW.type)
  OR EXISTS (SELECT 1 FROM outbox_delivery
    WHERE webhook = NEW.webhook AND aggregate = NEW.aggregate AND aggregate_seq = NEW.aggregate_seq)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:a delivery is of an event to a webhook, and there is one of each'); END;
CREATE TRIGGER outbox_delivery_update BEFORE UPDATE ON outbox_delivery
WHEN NEW.webhook IS NOT OLD.webhook OR NEW.aggregate IS NOT OLD.aggregate OR NEW.aggregate_seq IS NOT OLD.aggregate_seq
  OR NEW.outbox IS NOT OLD.outbox OR NEW.type IS NOT OLD.type OR NEW.made_at IS NOT OLD.made_at OR NEW.claim < OLD.claim
  OR (OLD.state <> 'pending' AND NEW.state <> 'pending')
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:a delivery is only claimed, ended, and begun again'); END;
CREATE TRIGGER outbox_delivery_delete BEFORE DELETE ON outbox_delivery
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:a delivery is kept'); END;
CREATE TRIGGER outbox_handover_insert BEFORE INSERT ON outbox_handover
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:there is one handover'); END;
CREATE TRIGGER outbox_handover_delete BEFORE DELETE ON outbox_handover
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:there is one handover'); END;
