/** Which promise of the evidence does not hold. */
export type Link =
  | 'format'
  | 'schema'
  | 'canonical form'
  | 'seq'
  | 'previous'
  | 'digest'
  | 'run id'
  | 'terminal event'
  | 'receipt'
  | 'idempotency key'
  | 'run'
  | 'input'
  | 'snapshot'
  | 'blob'
  | 'origin';

export interface BrokenLink {
  readonly link: Link;
  /** The place, as people name it: `event 7`, `receipt 3`, `run.json`. */
  readonly where: string;
  readonly expected: string;
  readonly actual: string;
}

/** Thrown where a check fails; `verify` turns it into its answer. Not an error of the program. */
export class Broken extends Error {
  readonly broken: BrokenLink;

  constructor(link: Link, where: string, expected: string, actual: string) {
    super(`${where}: ${link}: expected ${expected}, found ${actual}`);
    this.broken = { link, where, expected: short(expected), actual: short(actual) };
  }
}

/** Throws `Broken` unless both texts are equal. */
export function assertSame(link: Link, where: string, expected: string, actual: string): void {
  if (expected !== actual) throw new Broken(link, where, expected, actual);
}

/** Evidence can hold anything: what is quoted of it is bounded. */
function short(text: string): string {
  const clean = text.toWellFormed();
  return clean.length <= 300 ? clean : `${clean.slice(0, 300).toWellFormed()}... (${text.length} characters)`;
}
