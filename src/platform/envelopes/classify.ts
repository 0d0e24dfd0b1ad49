import { type ErrorCode, WaybillError } from '../../contract/errors.ts';
import type { ErrorClass, Layer, Severity } from './error-class.ts';
import { readProperty } from './read-property.ts';

export interface Classified {
  readonly errorClass: ErrorClass;
  readonly severity: Severity;
}

/** Codes whose class cannot be read off their name or their exit code. */
const byCode: Partial<Readonly<Record<ErrorCode, ErrorClass>>> = {
  config_invalid: 'system.configuration',
  config_failed: 'system.configuration',
  workspace_not_found: 'system.configuration',
  store_read_only: 'system.configuration',
  store_newer_schema: 'system.configuration',
  store_full: 'infra.resource_exhausted',
  store_unavailable: 'infra.connection',
  store_corrupt: 'system.state_corruption',
  chain_broken: 'system.state_corruption',
  blob_corrupt: 'system.state_corruption',
  blob_missing: 'system.state_corruption',
  store_migration_changed: 'system.state_corruption',
  store_immutable: 'system.assertion',
  receipt_conflict: 'system.assertion',
  ledger_closed: 'system.assertion',
  correlation_missing: 'system.assertion',
  intent_violation: 'system.assertion',
  transaction_lock_timeout: 'infra.timeout',
  store_busy: 'infra.timeout',
  stale_epoch: 'domain.constraint',
  lease_lost: 'domain.constraint',
  holder_silent: 'infra.timeout',
  snapshot_failed: 'infra.external_service',
  containment_failed: 'infra.external_service',
  file_write_failed: 'infra.resource_exhausted',
  unauthorized: 'domain.authorization',
  forbidden: 'domain.authorization',
  host_refused: 'domain.authorization',
  origin_refused: 'domain.authorization',
  tool_not_permitted: 'domain.policy_violation',
  queue_full: 'domain.rate_limit',
  body_too_large: 'domain.validation',
  unsupported_media_type: 'domain.validation',
  method_not_allowed: 'domain.validation',
  not_acceptable: 'domain.validation',
  invalid_transition: 'domain.constraint',
  run_removed: 'domain.not_found',
  draining: 'infra.resource_exhausted',
  request_timeout: 'infra.timeout',
  daemon_unreachable: 'infra.connection',
  stream_broken: 'infra.connection',
  address_in_use: 'system.configuration',
  daemon_running: 'system.configuration',
};

const bySystemCode: ReadonlyMap<unknown, ErrorClass> = new Map([
  ['ECONNREFUSED', 'infra.connection'],
  ['ECONNRESET', 'infra.connection'],
  ['EPIPE', 'infra.connection'],
  ['ENOTFOUND', 'infra.network'],
  ['EAI_AGAIN', 'infra.network'],
  ['ENETUNREACH', 'infra.network'],
  ['EHOSTUNREACH', 'infra.network'],
  ['ETIMEDOUT', 'infra.timeout'],
  ['ENOSPC', 'infra.resource_exhausted'],
  ['EDQUOT', 'infra.resource_exhausted'],
  ['EMFILE', 'infra.resource_exhausted'],
  ['ENFILE', 'infra.resource_exhausted'],
  ['ENOMEM', 'infra.resource_exhausted'],
  ['EACCES', 'system.configuration'],
  ['EPERM', 'system.configuration'],
  ['EROFS', 'system.configuration'],
]);

/** The class of whatever was thrown. `unknown` only for what is no error at all. */
export function classify(thrown: unknown): Classified {
  const errorClass = thrown instanceof WaybillError ? classOfOurs(thrown) : classOfForeign(thrown);
  return { errorClass, severity: severityOf(errorClass, thrown) };
}

function classOfOurs(error: WaybillError): ErrorClass {
  return bySystemCode.get(error.details?.systemCode) ?? byCode[error.code] ?? classOfCode(error);
}

function classOfCode({ code, exitCode }: WaybillError): ErrorClass {
  // The work failed: a step's declared check is not met, whoever is to blame.
  if (exitCode === 1) return 'domain.constraint';
  if (exitCode === 2) {
    if (code.endsWith('_not_found')) return 'domain.not_found';
    return /invalid|not_canonical/.test(code) ? 'domain.validation' : 'domain.constraint';
  }
  return code.startsWith('store_') ? 'infra.database' : 'system.internal';
}

function classOfForeign(thrown: unknown): ErrorClass {
  if (!(thrown instanceof Error)) return 'unknown';
  const code = readProperty(thrown, 'code');
  if (code === 'ERR_ASSERTION') return 'system.assertion';
  if (readProperty(thrown, 'name') === 'TimeoutError') return 'infra.timeout';
  return bySystemCode.get(code) ?? 'system.internal';
}

function severityOf(errorClass: ErrorClass, thrown: unknown): Severity {
  if (errorClass === 'system.state_corruption') return 'critical';
  // Somebody was refused, as the rules say: nothing is broken.
  if (errorClass === 'domain.validation' || errorClass === 'domain.not_found') return 'warning';
  if (errorClass === 'domain.authorization' || errorClass === 'domain.rate_limit') return 'warning';
  const stopped = thrown instanceof WaybillError && ['run_canceled', 'canceled', 'interrupted'].includes(thrown.code);
  return stopped ? 'info' : 'error';
}

/** The layer an envelope belongs to when a boundary of `found` catches it: rules are the domain's, means never are. */
export function layerOf(errorClass: ErrorClass, found: Layer): Layer {
  if (errorClass.startsWith('domain.')) return 'L4';
  return errorClass.startsWith('infra.') && found === 'L4' ? 'L6' : found;
}
