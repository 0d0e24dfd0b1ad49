import type { JsonObject } from '../../contract/json.ts';
import type { Micros } from '../clock/clock.ts';
import type { ErrorClass, Layer, Severity } from './error-class.ts';

/** One error of a chain: what caused the one above it, or was lost beside it. */
export interface ChainLink {
  /** `cause`: it was given as the reason; `aggregate`: one of several; `suppressed`: thrown while another was on its way. */
  readonly relation: 'cause' | 'aggregate' | 'suppressed';
  readonly type: string;
  /** Redacted, at most 200 characters. */
  readonly message: string;
}

/**
 * The forensic record of one failure: infrastructure only, never shown by a product API, which carries its
 * `errorId` and nothing else of it. Deeply frozen. Holds no raw input, no secret and no stack trace.
 */
export interface ErrorEnvelope {
  readonly schemaVersion: number;
  /** `err_` and 32 hex digits. */
  readonly errorId: string;
  /** Several workspaces may share one database. */
  readonly workspaceId: string;
  /** When it happened. */
  readonly timestamp: Micros;
  readonly layer: Layer;
  readonly component: string;
  readonly errorClass: ErrorClass;
  readonly severity: Severity;
  readonly message: string;
  readonly correlationId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly decisionId: string | null;
  readonly runId: string | null;
  readonly step: string | null;
  readonly agentId: string | null;
  readonly actor: string | null;
  /** Keyed hash of the input, `hmac-sha256:` and 64 hex digits; null when there was no input (an empty one has a hash). */
  readonly inputHash: string | null;
  /** The error's type, and for Waybill's own its code: `TypeError`, `WaybillError:agent_timeout`. */
  readonly exceptionType: string | null;
  readonly exceptionChain: readonly ChainLink[];
  readonly context: JsonObject;
  readonly fingerprint: string;
  readonly fingerprintVersion: number;
  /** The version of Waybill that failed. */
  readonly release: string;
  /** True for traffic that Waybill made itself, to test itself. */
  readonly synthetic: boolean;
}

export const envelopeSchemaVersion = 1;

/** Freezes a value and everything it holds. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
