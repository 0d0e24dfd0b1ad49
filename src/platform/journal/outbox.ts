import type { Insertable } from 'kysely';
import type { JsonValue } from '../../contract/json.ts';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import type { Micros } from '../clock/clock.ts';
import { currentTraceparent } from '../correlation/correlation.ts';
import { makeJsonWellFormed } from '../files/make-well-formed.ts';
import { redactJson } from '../redaction/redactor.ts';
import type { OperationStatement, PreparedSql } from '../store/store.ts';
import type { OutboxTable } from './tables.ts';

/** An event that leaves the system: delivered at least once, in the order of `seq` within its aggregate. */
export interface OutboxEntry {
  /** What it is about; with `seq` it is the event's id: a run id gives `<run id>-<seq>`. */
  readonly aggregate: string;
  /** Place among the events of the aggregate, from 1; taken once. */
  readonly seq: number;
  /** The type of the CloudEvent. */
  readonly type: string;
  /** Its data, redacted before it is stored. */
  readonly payload: JsonValue;
  readonly at: Micros;
  /** The current span unless given, so that whoever handles the event continues the same tree. */
  readonly traceparent?: string | null;
}

/** The row of an entry; its payload in canonical JSON. @throws WaybillError `not_canonical` */
export function outboxRow(entry: OutboxEntry): Omit<Insertable<OutboxTable>, 'id' | 'delivered_at'> {
  return {
    aggregate: entry.aggregate,
    aggregate_seq: entry.seq,
    type: entry.type,
    payload: canonicalJson(makeJsonWellFormed(redactJson(entry.payload).value).value),
    at: entry.at,
    traceparent: entry.traceparent === undefined ? currentTraceparent() : entry.traceparent,
  };
}

const insertOutbox: PreparedSql = {
  sqlite: 'INSERT INTO outbox (aggregate, aggregate_seq, type, payload, at, traceparent) VALUES (?, ?, ?, ?, ?, ?)',
  postgres:
    'INSERT INTO outbox (aggregate, aggregate_seq, type, payload, at, traceparent) VALUES ($1, $2, $3, $4, $5, $6)',
};

/** The entries as one statement of an operation. */
export function outboxStatement(entries: readonly OutboxEntry[]): OperationStatement {
  const rows = entries.map((entry) => {
    const { aggregate, aggregate_seq, type, payload, at, traceparent } = outboxRow(entry);
    return [aggregate, aggregate_seq, type, payload, at, traceparent ?? null];
  });
  return { sql: insertOutbox, rows };
}
