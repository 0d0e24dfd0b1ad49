import type { JsonValue } from '../../contract/json.ts';
import { canonicalJson } from './canonical-json.ts';

/**
 * The value as somebody who reads it from the store will have it: with its keys in canonical order and
 * without a negative zero. Code that goes through the keys of an object, or prints it, then does the same before and
 * after a crash.
 * @throws WaybillError `not_canonical`
 */
export function asStored(value: JsonValue): JsonValue {
  const stored: JsonValue = JSON.parse(canonicalJson(value));
  return stored;
}
