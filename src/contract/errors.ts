import type { JsonObject } from './json.ts';

/**
 * Every error code a user can meet, with the exit code of the CLI that belongs to it:
 * 1 the work failed, 2 usage or configuration, 3 infrastructure. Codes are stable: they are
 * part of the public surface and are never renamed or given a second meaning.
 */
export const errorCodes = {
  // usage and configuration
  invalid_argument: 2,
  invalid_id: 2,
  invalid_input: 2,
  invalid_json: 2,
  invalid_path: 2,
  not_canonical: 2,
  config_invalid: 2,
  config_failed: 2,
  workspace_not_found: 2,
  workspace_exists: 2,
  workflow_not_found: 2,
  task_not_found: 2,
  task_invalid: 2,
  task_exists: 2,
  agent_not_found: 2,
  run_not_found: 2,
  step_not_found: 2,
  receipt_not_found: 2,
  bundle_invalid: 2,
  bundle_too_large: 2,
  import_conflict: 2,
  drift: 2,
  lease_held: 2,
  run_not_waiting: 2,
  run_not_failed: 2,
  run_removed: 2,
  invalid_transition: 2,
  idempotency_key_reused: 2,
  tool_not_found: 2,
  tool_invalid: 2,
  tool_not_permitted: 2,
  token_not_found: 2,
  token_exists: 2,
  unauthorized: 2,
  forbidden: 2,
  host_refused: 2,
  origin_refused: 2,
  route_not_found: 2,
  method_not_allowed: 2,
  not_acceptable: 2,
  body_too_large: 2,
  unsupported_media_type: 2,
  daemon_running: 2,
  repo_not_found: 2,
  repo_exists: 2,
  repo_not_empty: 2,
  package_not_found: 2,
  version_not_found: 2,
  version_exists: 2,
  version_immutable: 2,
  version_conflict: 2,
  version_not_draft: 2,
  version_tombstoned: 2,
  version_quarantined: 2,
  policy_refused: 2,
  draft_empty: 2,
  draft_expired: 2,
  manifest_missing: 2,
  manifest_invalid: 2,
  manifest_not_found: 2,
  attestation_not_found: 2,
  entry_not_found: 2,
  tag_not_found: 2,
  blob_not_found: 2,
  blob_unavailable: 2,
  blob_unknown: 2,
  upload_not_found: 2,
  upload_offset_mismatch: 2,
  digest_mismatch: 2,
  size_mismatch: 2,
  range_not_satisfiable: 2,
  precondition_failed: 2,
  run_not_succeeded: 2,
  signing_key_missing: 2,
  signing_key_exists: 2,
  signing_key_invalid: 2,
  policy_rule_not_found: 2,
  webhook_not_found: 2,
  webhook_exists: 2,
  webhook_refused: 2,
  delivery_not_found: 2,
  // the work failed
  run_canceled: 1,
  step_failed: 1,
  nondeterministic_workflow: 1,
  max_iterations: 1,
  workflow_threw: 1,
  check_failed: 1,
  test_result_missing: 1,
  test_result_malformed: 1,
  tests_failed: 1,
  approval_denied: 1,
  approval_timeout: 1,
  wait_timeout: 1,
  artifact_missing: 1,
  artifact_outside: 1,
  artifact_size_mismatch: 1,
  artifact_digest_mismatch: 1,
  agent_spawn_failed: 1,
  agent_no_hello: 1,
  agent_bad_hello: 1,
  agent_exited: 1,
  agent_timeout: 1,
  agent_heartbeat_lost: 1,
  agent_line_too_long: 1,
  agent_bad_line: 1,
  agent_wrong_correlation: 1,
  agent_duplicate_answer: 1,
  agent_error: 1,
  process_spawn_failed: 1,
  process_exit: 1,
  process_signal: 1,
  process_timeout: 1,
  step_timeout: 1,
  interrupted: 1,
  canceled: 1,
  decision_failed: 1,
  tool_output_invalid: 1,
  tool_output_too_large: 1,
  gates_not_green: 1,
  attestation_invalid: 1,
  // infrastructure
  store_unavailable: 3,
  store_busy: 3,
  store_full: 3,
  store_read_only: 3,
  store_corrupt: 3,
  store_newer_schema: 3,
  store_migration_changed: 3,
  store_constraint: 3,
  store_immutable: 3,
  store_closed: 3,
  store_lane_failed: 3,
  store_row_missing: 3,
  transaction_awaited_outside: 3,
  transaction_query_pending: 3,
  transaction_statement_failed: 3,
  transaction_nested: 3,
  transaction_after_end: 3,
  transaction_denied: 3,
  transaction_lock_timeout: 3,
  stale_epoch: 3,
  lease_lost: 3,
  holder_silent: 3,
  delivery_failed: 3,
  chain_broken: 3,
  receipt_conflict: 3,
  ledger_closed: 3,
  file_write_failed: 3,
  file_read_failed: 3,
  snapshot_failed: 3,
  blob_missing: 3,
  blob_corrupt: 3,
  containment_failed: 3,
  correlation_missing: 3,
  envelope_invalid: 3,
  envelope_newer_schema: 3,
  intent_violation: 3,
  queue_full: 3,
  draining: 3,
  request_timeout: 3,
  daemon_unreachable: 3,
  address_in_use: 3,
  response_invalid: 3,
  stream_broken: 3,
  internal: 3,
} as const satisfies Record<string, 1 | 2 | 3>;

export type ErrorCode = keyof typeof errorCodes;

export interface WaybillErrorOptions {
  /** What the reader can do next, as one sentence or a command to run. */
  readonly hint?: string;
  /** Facts a program can use: paths, digests, counts. Never raw input. */
  readonly details?: JsonObject;
  readonly cause?: unknown;
}

/** The one error type Waybill throws on purpose: a stable code, a message, and what to do next. */
export class WaybillError extends Error {
  override readonly name: string = 'WaybillError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: JsonObject | undefined;

  constructor(code: ErrorCode, message: string, options: WaybillErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  /** Exit code of a command that ends with this error. */
  get exitCode(): 1 | 2 | 3 {
    return errorCodes[this.code];
  }
}
