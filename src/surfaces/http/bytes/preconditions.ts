import type { IncomingHttpHeaders } from 'node:http';
import { WaybillError } from '../../../contract/errors.ts';
import type { Digest } from '../../../contract/ids.ts';

/** The entity tag of bytes: they never change, so it is a strong one. */
export const etagOf = (digest: Digest): string => `"${digest}"`;

/**
 * What the conditions of a request (RFC 9110, section 13) make of its answer, in the order the RFC wants them looked at.
 * `ranged` is false when `If-Range` names other bytes, or a date, which nothing here has.
 * @throws WaybillError `precondition_failed`
 */
export function judgeConditions(
  headers: IncomingHttpHeaders,
  digest: Digest,
): { readonly unchanged: boolean; readonly ranged: boolean } {
  const etag = etagOf(digest);
  const match = headers['if-match'];
  if (match !== undefined && !tagsOf(match).some((tag) => tag === '*' || tag === etag)) {
    throw new WaybillError('precondition_failed', `these bytes are ${etag}, not ${match.slice(0, 300)}`, {
      details: { etag },
    });
  }
  const known = headers['if-none-match'];
  const unchanged = known !== undefined && tagsOf(known).some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);
  const ifRange = headers['if-range'];
  return { unchanged, ranged: ifRange === undefined || ifRange === etag };
}

function tagsOf(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim());
}
