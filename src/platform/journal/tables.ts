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
  /** Its place in the chain, from 1; null with the two digests until it is sealed. */
  position: Generated<number | null>;
  previous: Generated<string | null>;
  digest: Generated<string | null>;
}

/** One row: where the chain of the audit ends. */
export interface AuditChainTable {
  name: 'audit';
  position: number;
  digest: string;
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
    audit_chain: AuditChainTable;
    outbox: OutboxTable;
  }
}
