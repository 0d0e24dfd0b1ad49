export interface Load {
  /** How many runs are kept going at once. */
  readonly inFlight: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** How many runs one after the other, and the seconds after which fewer are enough. */
  readonly ones: number;
  readonly oneSeconds: number;
  /** A folder for what the engine stores. */
  readonly data: string;
  /** Where PostgreSQL is, for the engine that needs one. */
  readonly database?: string;
}
export interface Measured {
  readonly runs: number;
  readonly runsPerSecond: number;
  readonly ones: number;
  /** Milliseconds of one run alone. */
  readonly p50: number;
  readonly p99: number;
}
export function readLoad(): Load;
export function expected(input: number): number;
export function measure(
  load: Load,
  once: (input: number) => Promise<unknown>,
  answerOf?: (input: number) => unknown,
): Promise<Measured>;
export function runFor(seconds: number, inFlight: number, run: () => Promise<unknown>): Promise<number>;
export function report(result: { readonly version: string; readonly settings: string }): void;
