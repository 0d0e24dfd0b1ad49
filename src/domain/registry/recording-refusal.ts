import type { AuditAction } from '../../contract/audit.ts';
import { errorCodes, WaybillError } from '../../contract/errors.ts';
import type { JsonObject } from '../../contract/json.ts';
import { auditStatement } from '../../platform/journal/audit.ts';
import type { Registry } from './registry.ts';

/** A privileged act, as its audit record names it. */
export interface Act {
  readonly action: AuditAction;
  readonly resource: string;
  readonly by: string;
  readonly details?: JsonObject;
}

/**
 * Does something that leaves an audit record when it is done, and leaves one when it is refused or fails, too: that one
 * is committed by itself, before whoever asked is answered.
 * @throws WaybillError what the act was refused with, or `store_*` when not even the record could be kept
 */
export async function recordingRefusal<T>(
  { store, clock }: Pick<Registry, 'store' | 'clock'>,
  { action, resource, by, details }: Act,
  act: () => Promise<T>,
): Promise<T> {
  try {
    const done = await act();
    store.hints.announce('audit');
    return done;
  } catch (error) {
    const code = error instanceof WaybillError ? error.code : 'internal';
    const outcome = errorCodes[code] === 3 ? 'failed' : 'refused';
    const record = { at: clock.now(), actor: by, action, resource, outcome, reason: code } as const;
    await store.submit({ statements: [auditStatement([details === undefined ? record : { ...record, details }])] });
    store.hints.announce('audit');
    throw error;
  }
}
