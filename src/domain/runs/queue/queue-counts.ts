import { WaybillError } from '../../../contract/errors.ts';
import type { Store } from '../../../platform/store/store.ts';

export interface QueueCounts {
  readonly queued: number;
  /** Held by some living or dead worker. */
  readonly running: number;
  readonly parked: number;
}

export async function queueCounts(_store: Store): Promise<QueueCounts> {
  throw new WaybillError('internal', 'not built yet');
}
