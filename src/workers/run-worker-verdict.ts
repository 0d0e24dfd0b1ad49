import { type ErrorCode, errorCodes, WaybillError } from '../contract/errors.ts';
import { fullJitter } from '../domain/runs/steps/backoff.ts';

/** What becomes of a run when working on it ended in an error of the system; the work's own failures are outcomes. */
export type Verdict =
  /** Somebody else has it, it is over, or it was handed over already: it is not ours to touch. */
  | { readonly kind: 'leave' }
  | { readonly kind: 'retry'; readonly code: ErrorCode; readonly failures: number; readonly inMs: number }
  /** No worker takes it by itself any more: trying again would end the same way. */
  | { readonly kind: 'park'; readonly code: ErrorCode; readonly failures: number };

/** Errors of the system in a row after which a run is parked. */
export const mostFailures = 8;
/**
 * Deaths of its workers in a row after which a run is set aside. More than of errors: a daemon may be killed for reasons
 * that are no run's, and then all runs it had share the death.
 */
export const mostDeaths = 24;
/** A run that was at work for this long before it failed made progress: its failures are counted anew. */
const progressMs = 60_000;

const backoff = { retries: mostFailures, backoffMs: 1_000, maxBackoffMs: 60_000 };

const notOurs: ReadonlySet<ErrorCode> = new Set([
  'lease_lost',
  'stale_epoch',
  'lease_held',
  'invalid_transition',
  'interrupted',
  'run_not_found',
  'run_removed',
]);

/** Beside all that is usage or configuration: what was stored, or what lives, is not as it has to be. */
const lasting: ReadonlySet<ErrorCode> = new Set([
  'nondeterministic_workflow',
  'containment_failed',
  'store_corrupt',
  'store_newer_schema',
  'store_migration_changed',
  'store_constraint',
  'store_immutable',
  'ledger_closed',
  'chain_broken',
  'receipt_conflict',
  'blob_missing',
  'blob_corrupt',
]);

/**
 * @param run.failures how many errors in a row there were before this one
 * @param run.tookMs how long it was at work this time
 * @returns with `failures`, how many there are in a row now
 */
export function verdictOn(
  error: unknown,
  run: { readonly failures: number; readonly tookMs: number },
  random: () => number = Math.random,
): Verdict {
  const code = error instanceof WaybillError ? error.code : 'internal';
  if (notOurs.has(code)) return { kind: 'leave' };
  const failures = (run.tookMs < progressMs ? run.failures : 0) + 1;
  if (lasting.has(code) || errorCodes[code] === 2 || failures >= mostFailures) return { kind: 'park', code, failures };
  return { kind: 'retry', code, failures, inMs: fullJitter(failures, backoff, random) };
}
