/**
 * How long an answer's `Retry-After` asks to wait, in milliseconds: seconds or a date (RFC 9110 section 10.2.3). Null when
 * it is missing, no such thing, or in the past.
 */
export function retryAfterMs(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  if (/^\d{1,10}$/.test(header.trim())) return Number(header.trim()) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) || at <= now ? null : at - now;
}
