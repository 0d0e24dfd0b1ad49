import { WaybillError } from '../../contract/errors.ts';

/** Refusals that read the same on both engines. */

export function storeClosed(): WaybillError {
  return new WaybillError('store_closed', 'the store was used after it had been closed', {
    hint: 'Open the store again.',
  });
}

export function laneFailed(): WaybillError {
  return new WaybillError(
    'store_lane_failed',
    'an operation queued before this one failed, so this one was not tried',
    {
      hint: 'Read the current state again and submit what it asks for.',
    },
  );
}

export function unexpectedChanges(expected: number, changed: number): WaybillError {
  return new WaybillError('store_constraint', `an operation changed ${changed} rows where ${expected} were expected`, {
    hint: 'Nothing of this operation was written.',
    details: { expected, changed },
  });
}

export function rowMissing(table: string): WaybillError {
  return new WaybillError('store_row_missing', `the row to lock does not exist in ${table}`, {
    hint: 'Insert it first, or check its key.',
    details: { table },
  });
}
