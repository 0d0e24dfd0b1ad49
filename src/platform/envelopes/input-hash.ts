import { createHmac } from 'node:crypto';
import type { JsonValue } from '../../contract/json.ts';

/**
 * Keyed hash of an input: tells whether two failures had the same input, to those who hold the workspace's key, and
 * nothing to anyone else. Field order does not matter.
 * @returns `hmac-sha256:<64 hex>`; null when there was no input. An empty text, `null` and `{}` each have a hash.
 */
export function hashInput(key: Uint8Array, input: JsonValue | undefined): string | null {
  if (input === undefined) return null;
  const hmac = createHmac('sha256', key).update('waybill.input.v1\n').update(JSON.stringify(input, sortFields));
  return `hmac-sha256:${hmac.digest('hex')}`;
}

/** Not canonical JSON, because what that refuses (a lone surrogate) may be the very input that failed. */
function sortFields(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
