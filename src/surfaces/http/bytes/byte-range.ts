import { WaybillError } from '../../../contract/errors.ts';
import type { ByteRange } from '../../../platform/blobs/blob-store.ts';

/**
 * What a `Range` header (RFC 9110, section 14) asks of so many bytes; null for all of them. A header that cannot be read,
 * another unit, and several ranges at once are answered with the whole, as the RFC allows.
 * @throws WaybillError `range_not_satisfiable` when the one range begins behind the end
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | null {
  const [, first = '', last = ''] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const wanted = Number(last);
    if (wanted === 0 || size === 0) throw notSatisfiable(size);
    return { first: Math.max(0, size - wanted), last: size - 1 };
  }
  if (last !== '' && Number(last) < Number(first)) return null;
  if (Number(first) >= size) throw notSatisfiable(size);
  return { first: Number(first), last: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

function notSatisfiable(size: number): WaybillError {
  return new WaybillError('range_not_satisfiable', `there are ${size} bytes, and none of them in this range`, {
    details: { size },
  });
}
