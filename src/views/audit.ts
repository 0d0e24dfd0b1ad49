import type { Selectable } from 'kysely';
import { z } from 'zod';
import { type AuditEntry, type AuditList, auditOutcomes } from '../contract/api/audit.ts';
import { jsonValueSchema } from '../contract/json-value.ts';
import { formatTime } from '../platform/clock/clock.ts';
import type { AuditPage } from '../platform/journal/list-audit.ts';
import type { AuditTable } from '../platform/journal/tables.ts';

const outcome = z.enum(auditOutcomes);
const stored = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(jsonValueSchema);

/** A record of the audit as every surface shows it. */
export function auditView(row: Selectable<AuditTable>): AuditEntry {
  return {
    id: row.id,
    at: formatTime(row.at),
    actor: row.actor,
    action: row.action,
    resource: row.resource,
    outcome: outcome.parse(row.outcome),
    reason: row.reason,
    correlationId: row.correlation_id,
    details: row.details === null ? null : stored.parse(row.details),
    position: row.position,
    digest: row.digest,
  };
}

export function auditListView({ records, nextCursor }: AuditPage): AuditList {
  return { records: records.map(auditView), nextCursor };
}
