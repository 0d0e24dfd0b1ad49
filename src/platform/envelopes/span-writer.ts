import type { SpanWriter } from '../correlation/span-buffer.ts';
import type { PreparedSql, Store } from '../store/store.ts';

const insertSpan: PreparedSql = {
  sqlite:
    'INSERT INTO span (workspace_id, correlation_id, span_id, parent_span_id, component, name, started_at, ended_at, outcome, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  postgres:
    'INSERT INTO span (workspace_id, correlation_id, span_id, parent_span_id, component, name, started_at, ended_at, outcome, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
};

/** Writes spans to the table `span` of a workspace: for `SpanBuffer.attach`. */
export function spanWriter(store: Store, workspaceId: string): SpanWriter {
  return (spans) =>
    store.submit({
      statements: [
        {
          sql: insertSpan,
          rows: spans.map((span) => [
            workspaceId,
            span.correlationId,
            span.spanId,
            span.parentSpanId,
            span.component,
            span.name,
            span.startedAt,
            span.endedAt,
            span.outcome,
            span.note,
          ]),
        },
      ],
    });
}
