import type { Generated } from 'kysely';

/** One envelope, a column a field, and when it was stored. JSON columns hold text. */
export interface InfraErrorEventsTable {
  id: Generated<number>;
  error_id: string;
  workspace_id: string;
  created_at: number;
  timestamp: number;
  layer: string;
  component: string;
  error_class: string;
  severity: string;
  message: string;
  correlation_id: string;
  span_id: string;
  parent_span_id: string | null;
  decision_id: string | null;
  run_id: string | null;
  step: string | null;
  agent_id: string | null;
  actor: string | null;
  input_hash: string | null;
  exception_type: string | null;
  exception_chain: string;
  context: string;
  fingerprint: string;
  fingerprint_version: number;
  release: string;
  synthetic: number;
  schema_version: number;
}

export interface RetentionWindowTable {
  table_name: string;
  cut_off: number;
}

export interface SpanTable {
  id: Generated<number>;
  workspace_id: string;
  correlation_id: string;
  span_id: string;
  parent_span_id: string | null;
  component: string;
  name: string;
  started_at: number;
  ended_at: number;
  outcome: string;
  note: string | null;
}

declare module '../store/store.ts' {
  interface Database {
    infra_error_events: InfraErrorEventsTable;
    retention_window: RetentionWindowTable;
    span: SpanTable;
  }
}
