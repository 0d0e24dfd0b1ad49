import type { Generated } from 'kysely';
import type { Migration } from '../migrations.ts';
import type { Operation, PreparedSql } from '../store.ts';

declare module '../store.ts' {
  interface Database {
    conformance_account: { id: string; balance: number };
    conformance_entry: {
      id: Generated<number>;
      run: string;
      seq: number;
      body: string | Uint8Array;
      at: number | bigint;
    };
    conformance_note: { account: string; words: string };
  }
}

/** The tables the conformance suite works on, with one rule of each kind. */
export const conformanceMigration: Migration = {
  feature: 'conformance',
  number: 1,
  name: 'tables',
  sqlite: `
    CREATE TABLE conformance_account (id TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0)) STRICT;
    CREATE TABLE conformance_entry (id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, body ANY NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE UNIQUE INDEX conformance_entry_seq ON conformance_entry (run, seq);
    CREATE TABLE conformance_note (account TEXT NOT NULL REFERENCES conformance_account (id), words TEXT NOT NULL) STRICT;
    CREATE TRIGGER conformance_entry_stays BEFORE UPDATE ON conformance_entry
    BEGIN SELECT RAISE(ABORT, 'waybill:store_immutable:an entry cannot be changed'); END;`,
  postgres: `
    CREATE TABLE conformance_account (id text COLLATE "C" PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
    CREATE TABLE conformance_entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text COLLATE "C" NOT NULL, seq integer NOT NULL, body bytea NOT NULL, at bigint NOT NULL);
    CREATE UNIQUE INDEX conformance_entry_seq ON conformance_entry (run, seq);
    CREATE TABLE conformance_note (account text COLLATE "C" NOT NULL REFERENCES conformance_account (id), words text COLLATE "C" NOT NULL);
    CREATE FUNCTION conformance_entry_stays() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'waybill:store_immutable:an entry cannot be changed'; END$$;
    CREATE TRIGGER conformance_entry_stays BEFORE UPDATE ON conformance_entry FOR EACH ROW EXECUTE FUNCTION conformance_entry_stays();`,
};

export const insertEntry: PreparedSql = {
  sqlite: 'INSERT INTO conformance_entry (run, seq, body, at) VALUES (?, ?, ?, ?)',
  postgres: 'INSERT INTO conformance_entry (run, seq, body, at) VALUES ($1, $2, $3, $4)',
};
export const bytes = new Uint8Array([0, 255, 10]);

/** One append to a run's lane, as a ledger makes them. */
export function append(run: string, ...seqs: readonly number[]): Operation {
  return {
    lane: run,
    statements: [
      {
        sql: insertEntry,
        rows: seqs.map((seq) => [run, seq, bytes, 1_700_000_000_000_001]),
        expectChanges: seqs.length,
      },
    ],
  };
}
