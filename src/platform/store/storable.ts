import { WaybillError } from '../../contract/errors.ts';
import type { SqlValue } from './store.ts';

/**
 * A value both engines store in the same way; a driver of its own would turn dates, booleans and objects into
 * something else.
 * @throws WaybillError `invalid_argument`
 */
export function storable(value: unknown): SqlValue {
  switch (typeof value) {
    case 'string':
    case 'bigint':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      break;
    case 'object':
      if (value === null || value instanceof Uint8Array) return value;
      break;
    default:
  }
  throw new WaybillError('invalid_argument', `a value of type ${typeof value} cannot be stored`, {
    hint: 'Store text, finite numbers, bigints, bytes or null; booleans as 0 and 1, times as integer microseconds.',
  });
}
