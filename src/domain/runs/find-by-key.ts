import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { Engine } from './engine.ts';
import { sql } from './ledger/statements.ts';
import { parseRows } from './rows.ts';
import { type NewRun, requestDigest } from './start-run.ts';

// Prepared: every submit that has a key asks it.
const selectByKey = sql('SELECT id, request_digest FROM run WHERE actor = ? AND idempotency_key = ?');
const keyedRow = z.object({ id: z.string(), request_digest: z.string().nullable() });

/**
 * The run an earlier request of the same actor made under this key.
 * @throws WaybillError `idempotency_key_reused` when that request was another one
 */
export async function findByKey(engine: Engine, request: NewRun): Promise<RunId | undefined> {
  const key = request.idempotencyKey;
  if (key === undefined) return undefined;
  const [row] = parseRows(keyedRow, await engine.store.select(selectByKey, [request.actor, key]));
  if (row === undefined) return undefined;
  if (row.request_digest === requestDigest(request, engine.redact.json(request.input).value))
    return parseId('run', row.id);
  throw new WaybillError(
    'idempotency_key_reused',
    `the key ${JSON.stringify(key)} was used for another request, which made ${row.id}`,
    {
      hint: 'Use a new key for a new request.',
      details: { run: row.id },
    },
  );
}
