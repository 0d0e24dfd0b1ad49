import { WaybillError } from '../../contract/errors.ts';
import type { Digest } from '../../contract/ids.ts';
import type { PreparedSql, Store } from '../store/store.ts';
import { auditLink, type ChainHead, chainHead, sealedColumns } from './audit-link.ts';

const selectUnsealed: PreparedSql = {
  sqlite: `SELECT ${sealedColumns} FROM audit WHERE position IS NULL ORDER BY id LIMIT ?`,
  postgres: `SELECT ${sealedColumns} FROM audit WHERE position IS NULL ORDER BY id LIMIT $1`,
};
export const selectHead: PreparedSql = {
  sqlite: "SELECT position, digest FROM audit_chain WHERE name = 'audit'",
  postgres: "SELECT position, digest FROM audit_chain WHERE name = 'audit'",
};
const moveHead: PreparedSql = {
  sqlite: "UPDATE audit_chain SET position = ?, digest = ? WHERE name = 'audit' AND position = ? AND digest = ?",
  postgres: "UPDATE audit_chain SET position = $1, digest = $2 WHERE name = 'audit' AND position = $3 AND digest = $4",
};
/** Many records in one statement: the seals come as one JSON array of `[id, position, previous, digest]`. */
const seal: PreparedSql = {
  sqlite: `UPDATE audit SET position = s.value ->> 1, previous = s.value ->> 2, digest = s.value ->> 3
FROM json_each(?) AS s WHERE audit.id = CAST(s.value ->> 0 AS INTEGER) AND audit.position IS NULL`,
  postgres: `UPDATE audit SET position = (s.value ->> 1)::bigint, previous = s.value ->> 2, digest = s.value ->> 3
FROM jsonb_array_elements($1::jsonb) AS s WHERE audit.id = (s.value ->> 0)::bigint AND audit.position IS NULL`,
};

const batch = 500;
/** So often another may seal first before it is called a fault: each time it did, the chain has grown. */
const mostTries = 100;

/**
 * Gives every record that is not yet in the chain its place: oldest first, in transactions of their own, many at a
 * time. Several processes may do it at once. Costs one read of an empty index when there is nothing to do.
 * @returns how many records it has sealed
 * @throws WaybillError what the store says; what was sealed until then is
 */
export async function sealAudit(store: Store, signal?: AbortSignal): Promise<number> {
  let sealed = 0;
  for (let tries = 0; signal?.aborted !== true; ) {
    const rows = await store.select(selectUnsealed, [batch]);
    if (rows.length === 0) break;
    const head = await readHead(store);
    const seals: (readonly [number, number, Digest, Digest])[] = [];
    let { position, digest: previous } = head;
    for (const row of rows) {
      position++;
      const digest = auditLink(row, position, previous);
      seals.push([Number(row.id), position, previous, digest]);
      previous = digest;
    }
    try {
      await store.submit({
        statements: [
          {
            sql: moveHead,
            rows: [[position, previous, head.position, head.digest]],
            expectChanges: 1,
            refuse: () => new OtherSealed(),
          },
          { sql: seal, rows: [[JSON.stringify(seals)]], expectChanges: seals.length, refuse: () => new OtherSealed() },
        ],
      });
      sealed += seals.length;
      tries = 0;
    } catch (error) {
      if (!(error instanceof OtherSealed) || ++tries >= mostTries) throw error;
    }
  }
  return sealed;
}

/** @throws WaybillError `chain_broken` when there is no head, or none that can be one */
async function readHead(store: Store): Promise<ChainHead> {
  const [row] = await store.select(selectHead, []);
  const parsed = chainHead.safeParse(row);
  if (parsed.success) return parsed.data;
  throw new WaybillError('chain_broken', 'the audit chain has lost its end: nothing can be sealed', {
    hint: 'Somebody has changed the database by hand: `waybill audit verify` says where.',
  });
}

/** Somebody else has moved the head between our look and our change. */
class OtherSealed extends WaybillError {
  constructor() {
    super('store_busy', 'others keep sealing the audit', { hint: 'Try again.' });
  }
}
