-- What a gate found about a subject, once: evidence, bound to the digest of the subject and of the gate's definition.
CREATE TABLE gate_run (
  id TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  gate TEXT COLLATE "C" NOT NULL,
  definition_digest TEXT COLLATE "C" NOT NULL CHECK (length(definition_digest) = 71),
  subject_kind TEXT COLLATE "C" NOT NULL,
  subject_digest TEXT COLLATE "C" NOT NULL CHECK (length(subject_digest) = 71),
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('passed', 'failed', 'error')),
  -- What it looked at and found, as canonical JSON.
  findings TEXT COLLATE "C" NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL
);
CREATE INDEX gate_run_by_subject ON gate_run (subject_digest, gate, finished_at);

-- PostgreSQL also has TRUNCATE to refuse.
CREATE FUNCTION gate_run_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'waybill:store_immutable: what a gate found is never changed or deleted';
END $$;
CREATE TRIGGER gate_run_unchanged BEFORE UPDATE OR DELETE ON gate_run FOR EACH ROW EXECUTE FUNCTION gate_run_unchanged();
CREATE TRIGGER gate_run_truncate BEFORE TRUNCATE ON gate_run FOR EACH STATEMENT EXECUTE FUNCTION gate_run_unchanged();
