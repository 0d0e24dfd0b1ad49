import { WaybillError } from '../../../contract/errors.ts';
import { isUnreadableNumber } from '../../../platform/store/unreadable-number.ts';
import type { Inspection } from './inspection.ts';

/** True when a row holds what this program cannot read, and not when the store or the disk fails. */
function isUnreadable(error: unknown): error is WaybillError {
  if (isUnreadableNumber(error)) return true;
  return error instanceof WaybillError && (error.code === 'invalid_id' || error.code === 'not_canonical');
}

/** Does one part of the work, and goes on behind a row that cannot be read: null then, and it is named. */
export async function unlessUnreadable<T>(
  inspection: Inspection,
  where: string,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    inspection.found('row_unreadable', where, error.message);
    return null;
  }
}
