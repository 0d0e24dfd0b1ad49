import type { Micros } from '../../../platform/clock/clock.ts';

/** The microseconds of a time as evidence holds it: RFC 3339 UTC with three or six digits. */
export function parseTime(text: string): Micros {
  const [, milliseconds = text.slice(0, -1), micros = '0'] = /^(.*\.\d{3})(\d{3})?Z$/.exec(text) ?? [];
  return Date.parse(`${milliseconds}Z`) * 1000 + Number(micros);
}
