import type { Micros } from './clock.ts';

/** A time in RFC 3339 as the store holds times; NaN for what is none. */
export function parseTime(text: string): Micros {
  return Date.parse(text) * 1_000;
}
