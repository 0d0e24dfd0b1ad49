import { parseId } from '../../../contract/ids.ts';
import { usageError } from '../usage-error.ts';

/**
 * The run a command is about: `waybill resume RUN` and `waybill resume --run RUN` are the same.
 * @throws WaybillError `invalid_argument`, `invalid_id`
 */
export function runArgument(positional: string | undefined, option: string | undefined): string {
  if (positional !== undefined && option !== undefined && positional !== option) {
    throw usageError(`two runs are named: ${positional} and ${option}`, 'Name one.');
  }
  const named = positional ?? option;
  if (named === undefined) throw usageError('no run is named', 'Name one; `waybill runs` lists them.');
  return parseId('run', named);
}
