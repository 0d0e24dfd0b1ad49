import type { Micros } from '../clock/clock.ts';
import type { ErrorEnvelope } from './envelope.ts';
import type { ErrorClass, Severity } from './error-class.ts';

/** A half-open stretch of time: from `since` on, up to but not including `until`. Microseconds. */
export interface TimeWindow {
  readonly since?: Micros;
  readonly until?: Micros;
}

export interface ErrorQuery extends TimeWindow {
  /** Traffic Waybill made itself is left out unless asked for. */
  readonly includeSynthetic?: boolean;
  /** At most so many, 1 to 1000; 100 unless given. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

/** Oldest first. */
export interface ErrorPage {
  readonly envelopes: readonly ErrorEnvelope[];
  /** Give it as `cursor` to go on; null on the last page. */
  readonly next: string | null;
}

export interface CountQuery extends TimeWindow {
  readonly includeSynthetic?: boolean;
}

export interface TimelineQuery extends CountQuery {
  readonly since: Micros;
  readonly until: Micros;
  /** Length of a bucket in microseconds; the first begins at `since`, the last ends at `until`. */
  readonly bucket: Micros;
}

export interface TimelineBucket {
  readonly start: Micros;
  readonly count: number;
}

export interface CleanupRequest {
  /** Envelopes stored longer ago than this go; at least 1. */
  readonly keepDays: number;
  /** Only counts what would go. */
  readonly dryRun?: boolean;
  /** Aborted: no further transaction is begun. What is left goes the next time. */
  readonly signal?: AbortSignal;
}

export interface CleanupReport {
  readonly cutOff: Micros;
  readonly removed: number;
  readonly kept: number;
  readonly removedSpans: number;
  readonly keptSpans: number;
  readonly dryRun: boolean;
}

/**
 * The error envelopes of one workspace, append-only. A store that cannot be read rejects with its error; nothing
 * here answers "none" instead.
 */
export interface ErrorStore {
  readonly workspaceId: string;
  /** Durable when it resolves. First write wins: storing an envelope again changes nothing. */
  persist(envelope: ErrorEnvelope): Promise<void>;
  /** All or none. @returns how many were new: of n with k duplicates, n - k */
  persistBatch(envelopes: readonly ErrorEnvelope[]): Promise<number>;
  /** The envelope of the id a user was shown. */
  find(errorId: string): Promise<ErrorEnvelope | undefined>;
  byCorrelation(correlationId: string, query?: ErrorQuery): Promise<ErrorPage>;
  byRun(runId: string, query?: ErrorQuery): Promise<ErrorPage>;
  byDecision(decisionId: string, query?: ErrorQuery): Promise<ErrorPage>;
  byComponent(component: string, query?: ErrorQuery): Promise<ErrorPage>;
  byClass(errorClass: ErrorClass, query?: ErrorQuery): Promise<ErrorPage>;
  byFingerprint(fingerprint: string, query?: ErrorQuery): Promise<ErrorPage>;
  bySeverity(severity: Severity, query?: ErrorQuery): Promise<ErrorPage>;
  countsByClass(query?: CountQuery): Promise<ReadonlyMap<string, number>>;
  countsByComponent(query?: CountQuery): Promise<ReadonlyMap<string, number>>;
  /** Empty buckets included; the sum is the total. @throws WaybillError `invalid_argument` for more than 10,000 buckets */
  timeline(query: TimelineQuery): Promise<readonly TimelineBucket[]>;
  /** Removes what is past retention, from this workspace. @throws WaybillError `invalid_argument` */
  cleanup(request: CleanupRequest): Promise<CleanupReport>;
}
