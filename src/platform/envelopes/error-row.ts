import type { Insertable } from 'kysely';
import type { Micros } from '../clock/clock.ts';
import type { OperationStatement, PreparedSql, SqlValue } from '../store/store.ts';
import type { ErrorEnvelope } from './envelope.ts';
import type { InfraErrorEventsTable } from './tables.ts';

export type ErrorRow = Insertable<InfraErrorEventsTable>;

/** The row of an envelope that is stored at `createdAt`. */
export function errorRow(envelope: ErrorEnvelope, createdAt: Micros): ErrorRow {
  return {
    error_id: envelope.errorId,
    workspace_id: envelope.workspaceId,
    created_at: createdAt,
    timestamp: envelope.timestamp,
    layer: envelope.layer,
    component: envelope.component,
    error_class: envelope.errorClass,
    severity: envelope.severity,
    message: envelope.message,
    correlation_id: envelope.correlationId,
    span_id: envelope.spanId,
    parent_span_id: envelope.parentSpanId,
    decision_id: envelope.decisionId,
    run_id: envelope.runId,
    step: envelope.step,
    agent_id: envelope.agentId,
    actor: envelope.actor,
    input_hash: envelope.inputHash,
    exception_type: envelope.exceptionType,
    exception_chain: JSON.stringify(envelope.exceptionChain),
    context: JSON.stringify(envelope.context),
    fingerprint: envelope.fingerprint,
    fingerprint_version: envelope.fingerprintVersion,
    release: envelope.release,
    synthetic: envelope.synthetic ? 1 : 0,
    schema_version: envelope.schemaVersion,
  };
}

/** What a row says, before it has been checked: give it to `parseEnvelope`. PostgreSQL may give integers as text. */
export function envelopeFields(row: Readonly<Record<keyof ErrorRow, unknown>>): unknown {
  return {
    schemaVersion: Number(row.schema_version),
    errorId: row.error_id,
    workspaceId: row.workspace_id,
    timestamp: Number(row.timestamp),
    layer: row.layer,
    component: row.component,
    errorClass: row.error_class,
    severity: row.severity,
    message: row.message,
    correlationId: row.correlation_id,
    spanId: row.span_id,
    parentSpanId: row.parent_span_id,
    decisionId: row.decision_id,
    runId: row.run_id,
    step: row.step,
    agentId: row.agent_id,
    actor: row.actor,
    inputHash: row.input_hash,
    exceptionType: row.exception_type,
    exceptionChain: JSON.parse(String(row.exception_chain)),
    context: JSON.parse(String(row.context)),
    fingerprint: row.fingerprint,
    fingerprintVersion: Number(row.fingerprint_version),
    release: row.release,
    synthetic: Number(row.synthetic) === 1,
  };
}

/** `error_id` first: on SQLite the statement below compares its first value. */
const columns = [
  'error_id',
  'workspace_id',
  'created_at',
  'timestamp',
  'layer',
  'component',
  'error_class',
  'severity',
  'message',
  'correlation_id',
  'span_id',
  'parent_span_id',
  'decision_id',
  'run_id',
  'step',
  'agent_id',
  'actor',
  'input_hash',
  'exception_type',
  'exception_chain',
  'context',
  'fingerprint',
  'fingerprint_version',
  'release',
  'synthetic',
  'schema_version',
] as const satisfies readonly (keyof ErrorRow)[];

const names = columns.join(', ');

/** First write wins: an envelope that is stored already is left as it is, and nothing fails. */
export const insertEnvelopeSql: PreparedSql = {
  sqlite: `INSERT INTO infra_error_events (${names}) SELECT * FROM (VALUES (${columns.map(() => '?').join(', ')})) WHERE NOT EXISTS (SELECT 1 FROM infra_error_events WHERE error_id = column1)`,
  postgres: `INSERT INTO infra_error_events (${names}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')}) ON CONFLICT (error_id) DO NOTHING`,
};

export function errorValues(row: ErrorRow): readonly SqlValue[] {
  return columns.map((column) => row[column] ?? null);
}

/** Stores an envelope as part of another operation, so that a failure and its envelope commit together. */
export function envelopeStatement(envelope: ErrorEnvelope, createdAt: Micros): OperationStatement {
  return { sql: insertEnvelopeSql, rows: [errorValues(errorRow(envelope, createdAt))] };
}
