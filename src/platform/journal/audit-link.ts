import { z } from 'zod';
import { type Digest, idShapes, isId } from '../../contract/ids.ts';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { chainDigest } from '../chain/chain.ts';
import type { SqlRow, SqlValue } from '../store/store.ts';

/** What a link of the audit chain is tagged with. */
const tag = 'waybill.audit.v1';

/** The columns of a record that its digest covers, in the order in which they are selected. */
export const sealedColumns = 'id, at, actor, action, resource, outcome, reason, correlation_id, details';

/**
 * The digest of a record at its place in the chain: over the place and every column of its row, as they are stored.
 * @param row as `sealedColumns` selects it
 */
export function auditLink(row: SqlRow, position: number, previous: Digest): Digest {
  const { id, at, actor, action, resource, outcome, reason, correlation_id: correlationId, details } = row;
  const record = { id, at, actor, action, resource, outcome, reason, correlationId, details };
  const hashable = Object.fromEntries(Object.entries(record).map(([name, value]) => [name, jsonOf(value)]));
  return chainDigest(tag, previous, canonicalJson({ ...hashable, position }));
}

/** What no program of ours wrote (a number beyond 2^53, bytes) is told in words, so that it breaks the chain and not the walk. */
function jsonOf(value: SqlValue | undefined): string | number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return typeof value === 'string' ? value.toWellFormed() : `not a text: ${String(value)}`;
}

const digest = z
  .string()
  .regex(idShapes.digest)
  .refine((text): text is Digest => isId('digest', text));

/** Where the chain ends. */
export const chainHead = z.object({ position: z.int().min(0), digest });
export type ChainHead = z.infer<typeof chainHead>;
