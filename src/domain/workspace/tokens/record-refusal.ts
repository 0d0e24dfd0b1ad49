import { WaybillError } from '../../../contract/errors.ts';
import { type AuditRecord, auditStatement } from '../../../platform/journal/audit.ts';
import type { Store } from '../../../platform/store/store.ts';

/**
 * Does something, and when it is refused or fails, leaves an audit record of that before anybody is told.
 * @throws what `act` threw
 */
export async function recordRefusal<T>(
  store: Store,
  record: Omit<AuditRecord, 'outcome' | 'reason'>,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const refused = error instanceof WaybillError && error.exitCode === 2;
    const reason = error instanceof WaybillError ? error.code : 'internal';
    const told = { ...record, outcome: refused ? ('refused' as const) : ('failed' as const), reason };
    // A store that cannot be written either says so by what was thrown first.
    await store.submit({ statements: [auditStatement([told])] }).catch((also: unknown) => {
      if (refused) throw also;
    });
    throw error;
  }
}
