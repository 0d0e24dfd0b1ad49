import type { AuditAction } from '../../../contract/audit.ts';
import { type ErrorCode, errorCodes, WaybillError } from '../../../contract/errors.ts';
import type { JsonObject } from '../../../contract/json.ts';
import { auditStatement } from '../../../platform/journal/audit.ts';
import type { Registry } from '../registry.ts';

export interface Attempt {
  readonly action: AuditAction;
  readonly resource: string;
  readonly details: JsonObject;
}

/** What was not understood, or is about nothing, was no act yet. */
const unrecorded: ReadonlySet<ErrorCode> = new Set([
  'invalid_input',
  'invalid_id',
  'repo_not_found',
  'version_not_found',
  'run_not_found',
  'unsupported_media_type',
  'body_too_large',
]);

/**
 * Does `work`, which records its own success. When the state refuses it, or it fails, that has an audit record of its own,
 * which is durable before the error is passed on.
 * @throws what `work` threw; WaybillError `store_*` with that as its cause when the record could not be kept
 */
export async function refusalsRecorded<T>(
  { store, clock }: Pick<Registry, 'store' | 'clock'>,
  { action, resource, details }: Attempt,
  by: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof WaybillError ? error.code : 'internal';
    if (unrecorded.has(reason)) throw error;
    const outcome = errorCodes[reason] === 3 ? ('failed' as const) : ('refused' as const);
    const record = { at: clock.now(), actor: by, action, resource, outcome, reason, details };
    try {
      await store.submit({ statements: [auditStatement([record])] });
    } catch (lost) {
      if (!(lost instanceof WaybillError)) throw lost;
      const { code, message, hint } = lost;
      throw new WaybillError(code, `${action} ended with ${reason}, and its record could not be kept: ${message}`, {
        ...(hint === undefined ? {} : { hint }),
        cause: error,
      });
    }
    throw error;
  }
}
