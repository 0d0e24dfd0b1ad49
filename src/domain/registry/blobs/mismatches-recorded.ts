import { WaybillError } from '../../../contract/errors.ts';
import type { JsonObject } from '../../../contract/json.ts';
import { recordRefusal } from '../recording-refusal.ts';
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
  registry: Pick<Registry, 'store' | 'clock'>,
  { resource, details }: { readonly resource: string; readonly details: JsonObject },
  by: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isMismatch(error)) await recordRefusal(registry, { action: 'blob.uploaded', resource, by, details }, error);
    throw error;
  }
}
