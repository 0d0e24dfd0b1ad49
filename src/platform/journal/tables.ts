import type { Generated } from 'kysely';

export interface AuditTable {
  id: Generated<number>;
  at: number;
  actor: string;
  action: string;
  resource: string;
  outcome: string;
  reason: string | null;
  correlation_id: string | null;
  details: string | null;
}

export interface OutboxTable {
  id: Generated<number>;
  aggregate: string;
  aggregate_seq: number;
  type: string;
  payload: string;
  at: number;
  traceparent: string | null;
  delivered_at: number | null;
}

declare module '../store/store.ts' {
  interface Database {
    audit: AuditTable;
    outbox: OutboxTable;
  }
}
