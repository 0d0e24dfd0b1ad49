import { z } from 'zod';
import { type ErrorCode, errorCodes } from '../errors.ts';
import { idShapes } from '../ids.ts';
import { jsonValueSchema } from '../json-value.ts';

/**
 * The HTTP status of each code that is not told by its kind: usage is 400, failed work 422, infrastructure 500.
 * Like the codes, statuses are part of the public surface.
 */
const statuses: Partial<Record<ErrorCode, number>> = {
  unauthorized: 401,
  forbidden: 403,
  origin_refused: 403,
  tool_not_permitted: 403,
  policy_refused: 403,
  version_quarantined: 403,
  workflow_not_found: 404,
  task_not_found: 404,
  agent_not_found: 404,
  run_not_found: 404,
  step_not_found: 404,
  receipt_not_found: 404,
  tool_not_found: 404,
  token_not_found: 404,
  repo_not_found: 404,
  package_not_found: 404,
  version_not_found: 404,
  manifest_not_found: 404,
  attestation_not_found: 404,
  entry_not_found: 404,
  tag_not_found: 404,
  blob_unknown: 404,
  upload_not_found: 404,
  policy_rule_not_found: 404,
  webhook_not_found: 404,
  delivery_not_found: 404,
  route_not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  request_timeout: 408,
  drift: 409,
  lease_held: 409,
  run_not_waiting: 409,
  run_not_failed: 409,
  invalid_transition: 409,
  idempotency_key_reused: 409,
  token_exists: 409,
  repo_exists: 409,
  repo_not_empty: 409,
  version_exists: 409,
  version_immutable: 409,
  version_conflict: 409,
  version_not_draft: 409,
  draft_empty: 409,
  draft_expired: 409,
  manifest_missing: 409,
  blob_not_found: 409,
  blob_unavailable: 409,
  upload_offset_mismatch: 409,
  digest_mismatch: 409,
  size_mismatch: 409,
  run_not_succeeded: 409,
  signing_key_exists: 409,
  signing_key_missing: 409,
  webhook_exists: 409,
  gates_not_green: 409,
  run_removed: 410,
  version_tombstoned: 410,
  precondition_failed: 412,
  body_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  host_refused: 421,
  manifest_invalid: 422,
  queue_full: 429,
  store_unavailable: 503,
  store_busy: 503,
  store_full: 503,
  store_read_only: 503,
  store_closed: 503,
  draining: 503,
  holder_silent: 504,
};

const byKind = { 1: 422, 2: 400, 3: 500 } as const;

export function httpStatus(code: ErrorCode): number {
  return statuses[code] ?? byKind[errorCodes[code]];
}

export const problemMediaType = 'application/problem+json';

/** Where the meaning of a code can be looked up; RFC 9457 wants a URI. */
export function problemType(code: ErrorCode): string {
  return `urn:waybill:problem:${code}`;
}

const codes = Object.keys(errorCodes).filter((code): code is ErrorCode => Object.hasOwn(errorCodes, code));

export const issueSchema = z
  .strictObject({
    path: z.string().describe('As `body.input.files[0].name`; empty for the whole.'),
    message: z.string(),
  })
  .describe('One thing that is wrong with a request.');
export type Issue = z.infer<typeof issueSchema>;

export const problemSchema = z
  .strictObject({
    type: z.string().describe('`urn:waybill:problem:<code>`.'),
    title: z.string().describe('What kind of problem it is, in words; the same for one status.'),
    status: z.int().min(400).max(599),
    detail: z.string().describe('What is wrong, this time.'),
    instance: z.string().describe('The path that was asked for.'),
    code: z.enum(codes).describe('What programs look at: codes are never renamed. Expect ones you do not know.'),
    hint: z.string().nullable().describe('What to do next.'),
    issues: z.array(issueSchema),
    details: z
      .record(z.string(), jsonValueSchema)
      .nullable()
      .describe(
        'Facts of this problem that a program can use: what was expected and found, what is missing, how many.',
      ),
    errorId: z
      .string()
      .regex(idShapes.envelope)
      .nullable()
      .describe('Under which operators find what is known of it; null when nothing was kept.'),
    correlationId: z.string().regex(idShapes.traceId).nullable().describe('The W3C trace id of the request.'),
  })
  .describe('An error as every route answers it: RFC 9457.');
export type Problem = z.infer<typeof problemSchema>;
