/** A time as every surface shows it, in milliseconds. Cut, not rounded: never later than what happened. */
export function toMilliseconds(time: string): string {
  return time.replace(/\.(\d{3})\d*Z$/, '.$1Z');
}

export function maybeMilliseconds(time: string | null): string | null {
  return time === null ? null : toMilliseconds(time);
}
