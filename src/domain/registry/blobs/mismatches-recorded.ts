import { WaybillError } from '../../../contract/errors.ts';
import type { JsonObject } from '../../../contract/json.ts';
import { auditStatement } from '../../../platform/journal/audit.ts';
import type { Registry } from '../registry.ts';

/** True for bytes that came, and are not what they were said to be. */
export function isMismatch(error: unknown): error is WaybillError {
  return error instanceof WaybillError && (error.code === 'digest_mismatch' || error.code === 'size_mismatch');
}

/**
 * Does `work`, which records its own success. Bytes that are not what was said leave a record of the refusal, which is
 * durable before the error is passed on; a connection that was lost is nobody's act.
 */
export async function mismatchesRecorded<T>(
  { store, clock }: Pick<Registry, 'store' | 'clock'>,
  { resource, details }: { readonly resource: string; readonly details: JsonObject },
  by: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isMismatch(error)) throw error;
    const record = { at: clock.now(), actor: by, action: 'blob.uploaded', resource, outcome: 'refused' } as const;
    await store.submit({ statements: [auditStatement([{ ...record, reason: error.code, details }])] });
    throw error;
  }
}
