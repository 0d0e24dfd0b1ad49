/** Microseconds since 1970-01-01T00:00:00Z: the form in which every time is stored. */
export type Micros = number;

/** Where "now" comes from; passed in, so that tests and replays can hold it still. */
export interface Clock {
  now(): Micros;
}

export const systemClock: Clock = {
  now: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
};

/** RFC 3339 UTC with milliseconds, as every surface shows it: `2026-11-22T21:05:00.000Z`. */
export function formatTime(micros: Micros): string {
  return new Date(Math.floor(micros / 1000)).toISOString();
}

let second = Number.NaN;
let secondText = '';

/** RFC 3339 UTC with microseconds, as the ledger holds it. */
export function formatTimeMicros(micros: Micros): string {
  const whole = Math.floor(micros / 1_000_000);
  if (whole !== second) {
    second = whole;
    secondText = new Date(whole * 1000).toISOString().slice(0, 20);
  }
  return `${secondText}${String(micros - whole * 1_000_000).padStart(6, '0')}Z`;
}
