import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import type { SqlRow } from '../../platform/store/store.ts';

/** Rows of prepared reads, which come without types: checked against the columns of `tables.ts`. */
const text = z.string();
const integer = z.union([z.int(), z.bigint().transform(Number)]);

export const runRow = z.object({
  id: text,
  workflow: text,
  tasks: text,
  state: text,
  actor: text,
  root: text,
  snapshot_mode: text,
  snapshot_id: text.nullable(),
  snapshot_digest: text.nullable(),
  tree_digest: text.nullable(),
  output: text.nullable(),
  reason: text.nullable(),
  head_seq: integer,
  head_digest: text,
  receipts: integer,
  epoch: integer,
  holder: text.nullable(),
  lease_expires_at: integer.nullable(),
  wake_at: integer.nullable(),
  idempotency_key: text.nullable(),
  request_digest: text.nullable(),
  created_at: integer,
  started_at: integer.nullable(),
  finished_at: integer.nullable(),
  tool: text.nullable(),
});

export const pendingRow = z.object({
  run: text,
  idempotency_key: text,
  action: text,
  name: text,
  attempt: integer,
  waiting_for: text.nullable(),
  body: text,
  first_seq: integer,
  started_at: integer,
});

export const linkRow = z.object({
  run: text,
  origin_run: text,
  kind: z.enum(['retry', 'fork', 'import']),
  from_step: text.nullable(),
  reason: text.nullable(),
  created_at: integer,
});

export const receiptRow = z.object({ number: integer, body: text });

export const headRow = z.object({ state: text, head_seq: integer });
export const headOfRow = headRow.extend({ id: text });

export const eventRow = z.object({ seq: integer, type: text, body: text, digest: text });

/** @throws WaybillError `store_corrupt` when a row does not have the columns of its table */
export function parseRows<T>(schema: z.ZodType<T>, rows: readonly SqlRow[]): readonly T[] {
  // Row by row: to make a schema for the list costs more than to check it.
  return rows.map((row) => {
    const parsed = schema.safeParse(row);
    if (parsed.success) return parsed.data;
    throw new WaybillError('store_corrupt', 'the store gave rows that do not fit their table');
  });
}
