import { z } from 'zod';
import type { Store } from '../../../platform/store/store.ts';
import { parseRows } from '../rows.ts';
import { countStates } from './queue-statements.ts';

export interface QueueCounts {
  /** Ready, and waiting for a place. */
  readonly queued: number;
  /** Held by some living or dead worker. */
  readonly running: number;
  /** Waiting for a person, a signal or the time. */
  readonly resting: number;
  readonly parked: number;
}

const countRow = z.object({
  state: z.enum(['ready', 'held', 'resting', 'parked']),
  count: z.union([z.int(), z.bigint().transform(Number)]),
});

export async function queueCounts(store: Store): Promise<QueueCounts> {
  const rows = parseRows(countRow, await store.select(countStates, []));
  const of = (state: string) => rows.find((row) => row.state === state)?.count ?? 0;
  return { queued: of('ready'), running: of('held'), resting: of('resting'), parked: of('parked') };
}
