import type { Insertable } from 'kysely';
import type { AuditAction } from '../../contract/audit.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { Micros } from '../clock/clock.ts';
import { currentCorrelation } from '../correlation/correlation.ts';
import { makeJsonWellFormed, makeWellFormed } from '../files/make-well-formed.ts';
import { redactActor } from '../redaction/redact-actor.ts';
import { redactJson, redactText } from '../redaction/redactor.ts';
import type { OperationStatement, PreparedSql } from '../store/store.ts';
import type { AuditTable } from './tables.ts';

/**
 * Who did what to what, and how it ended. The record of a success is part of the change's own transaction; that of a
 * refusal or a failure is committed alone, before the answer is sent.
 */
export interface AuditRecord {
  readonly at: Micros;
  /** `local:<uid>` on the command line without a token. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What it was done to: a run id, a package coordinate ... */
  readonly resource: string;
  readonly outcome: 'succeeded' | 'refused' | 'failed';
  readonly reason?: string | null;
  /** Facts, redacted before they are stored. Never raw input. */
  readonly details?: JsonObject;
  /** The current correlation unless given. */
  readonly correlationId?: string | null;
}

/** The row of a record, redacted and storable on both engines. */
export function auditRow(record: AuditRecord): Omit<Insertable<AuditTable>, 'id' | 'position' | 'previous' | 'digest'> {
  const { details } = record;
  return {
    at: record.at,
    actor: redactActor(record.actor, clean),
    action: record.action,
    resource: clean(record.resource),
    outcome: record.outcome,
    reason: record.reason === undefined || record.reason === null ? null : clean(record.reason),
    correlation_id:
      record.correlationId === undefined ? (currentCorrelation()?.correlationId ?? null) : record.correlationId,
    details: details === undefined ? null : JSON.stringify(makeJsonWellFormed(redactJson(details).value).value),
  };
}

function clean(text: string): string {
  return makeWellFormed(redactText(text).text).value;
}

const insertAudit: PreparedSql = {
  sqlite:
    'INSERT INTO audit (at, actor, action, resource, outcome, reason, correlation_id, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  postgres:
    'INSERT INTO audit (at, actor, action, resource, outcome, reason, correlation_id, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
};

/** The records as one statement of an operation. */
export function auditStatement(records: readonly AuditRecord[]): OperationStatement {
  const rows = records.map((record) => {
    const row = auditRow(record);
    const { at, actor, action, resource, outcome, reason, correlation_id, details } = row;
    return [at, actor, action, resource, outcome, reason ?? null, correlation_id ?? null, details ?? null];
  });
  return { sql: insertAudit, rows };
}
