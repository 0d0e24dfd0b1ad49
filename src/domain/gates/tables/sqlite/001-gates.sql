-- What a gate found about a subject, once: evidence, bound to the digest of the subject and of the gate's definition.
CREATE TABLE gate_run (
  id TEXT PRIMARY KEY NOT NULL,
  gate TEXT NOT NULL,
  definition_digest TEXT NOT NULL CHECK (length(definition_digest) = 71),
  subject_kind TEXT NOT NULL,
  subject_digest TEXT NOT NULL CHECK (length(subject_digest) = 71),
  outcome TEXT NOT NULL CHECK (outcome IN ('passed', 'failed', 'error')),
  -- What it looked at and found, as canonical JSON.
  findings TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_run_by_subject ON gate_run (subject_digest, gate, finished_at);

CREATE TRIGGER gate_run_insert BEFORE INSERT ON gate_run
WHEN EXISTS (SELECT 1 FROM gate_run WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: a gate run of this id exists'); END;
CREATE TRIGGER gate_run_update BEFORE UPDATE ON gate_run
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: what a gate found is never changed'); END;
CREATE TRIGGER gate_run_delete BEFORE DELETE ON gate_run
BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable: what a gate found is never deleted'); END;
