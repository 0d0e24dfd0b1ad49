import { z } from 'zod';
import { provenanceSchema } from '../../../contract/evidence.ts';
import type { ReadTx } from '../../../platform/store/store.ts';

const startedBody = z.looseObject({ data: z.looseObject({ provenance: provenanceSchema }) });

/**
 * Whether each of these runs began in a checkout with changes that were not committed, as its ledger says; a run of which
 * that is not known is not in the answer.
 */
export async function dirtyRuns(
  { db }: Pick<ReadTx, 'db'>,
  runs: readonly string[],
): Promise<ReadonlyMap<string, boolean>> {
  const found = new Map<string, boolean>();
  if (runs.length === 0) return found;
  const rows = await db
    .selectFrom('run_event')
    .select(['run', 'body'])
    .where('run', 'in', [...new Set(runs)])
    .where('type', '=', 'run.started')
    .execute();
  for (const { run, body } of rows) {
    const dirty = dirtyOf(body);
    if (dirty !== null) found.set(run, dirty);
  }
  return found;
}

function dirtyOf(body: string): boolean | null {
  try {
    const { dirty } = startedBody.parse(JSON.parse(body)).data.provenance.checkout;
    return dirty.known ? dirty.value : null;
  } catch {
    // A ledger that cannot be read says nothing; `verify` says what is wrong with it.
    return null;
  }
}
