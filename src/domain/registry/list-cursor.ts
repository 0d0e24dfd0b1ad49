import type { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { canonicalJson } from '../../platform/canonical-json/canonical-json.ts';

/** The place where a list goes on, opaque to whoever asks: what was last shown, as base64url. */
export function writeCursor(list: string, place: readonly (string | number)[]): string {
  return Buffer.from(canonicalJson([list, ...place])).toString('base64url');
}

/**
 * Reads a cursor of this very list: one of another list, or one that was changed, is refused.
 * @throws WaybillError `invalid_argument`
 */
export function readCursor<T>(list: string, shape: z.ZodType<T>, cursor: string): T {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const parsed = shape.safeParse(placeIn(list, text));
  // Written again it must be the same text: nothing that merely decodes is a cursor.
  if (parsed.success && Buffer.from(text).toString('base64url') === cursor) return parsed.data;
  throw new WaybillError('invalid_argument', `this is no cursor of a list of ${list}`, {
    hint: 'Give `nextCursor` of the page before, unchanged.',
  });
}

function placeIn(list: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value) || value[0] !== list || canonicalJson(value) !== text) return null;
    return value.slice(1);
  } catch {
    return null;
  }
}

/** @throws WaybillError `invalid_argument` for a limit that is none */
export function checkLimit(limit: number, most = 200): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit;
  throw new WaybillError('invalid_argument', `a page has 1 to ${most} entries, not ${limit}`);
}
