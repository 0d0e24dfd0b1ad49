import { WaybillError } from '../../contract/errors.ts';
import { parseId, type RunId } from '../../contract/ids.ts';
import type { Engine } from './engine.ts';
import { keyedOrigin, type NewRun, requestDigest } from './start-run.ts';

/**
 * The run an earlier request of the same actor made under this key.
 * @throws WaybillError `idempotency_key_reused` when that request was another one
 */
export async function findByKey(engine: Engine, request: NewRun): Promise<RunId | undefined> {
  const key = request.idempotencyKey;
  if (key === undefined) return undefined;
  const row = await engine.store.read((tx) =>
    tx.db
      .selectFrom('run')
      .select(['id', 'request_digest'])
      .where('actor', '=', request.actor)
      .where('idempotency_key', '=', key)
      .executeTakeFirst(),
  );
  if (row === undefined) return undefined;
  const input = engine.redact.json(request.input).value;
  const asked = requestDigest({
    workflow: request.workflow.name,
    input,
    tasks: request.tasks,
    origin: keyedOrigin(request.origin),
    ...(request.priority === undefined ? {} : { priority: request.priority }),
  });
  if (row.request_digest === asked) return parseId('run', row.id);
  throw new WaybillError(
    'idempotency_key_reused',
    `the key ${JSON.stringify(key)} was used for another request, which made ${row.id}`,
    {
      hint: 'Use a new key for a new request.',
      details: { run: row.id },
    },
  );
}
