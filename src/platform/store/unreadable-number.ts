import { WaybillError } from '../../contract/errors.ts';

/** Where a number was read that is larger than any this program writes: the names of a table and a column, where known. */
export interface NumberPlace {
  readonly engine?: string;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
}

/** A whole number beyond 2^53 - 1: somebody wrote it by hand, or the database is damaged. */
export function unreadableNumber({ engine, table, column }: NumberPlace): WaybillError {
  const place = [table, column].filter((name) => name !== undefined).join('.');
  return new WaybillError(
    'store_corrupt',
    `${place === '' ? 'the database' : place} holds a number that is too large: waybill writes none beyond 2^53 - 1`,
    {
      hint: 'The database was changed by hand, or is damaged: waybill fsck names the rows; restore it from a backup.',
      details: {
        problem: 'number_too_large',
        ...(engine === undefined ? {} : { engine }),
        ...(table === undefined ? {} : { table }),
        ...(column === undefined ? {} : { column }),
      },
    },
  );
}

/**
 * Refuses rows with such a number: an engine that gives it exactly gives a bigint, whatever the type of the column says.
 * @throws WaybillError `store_corrupt`
 */
export function assertNumbers(table: string, rows: readonly object[]): void {
  for (const row of rows) {
    for (const [column, value] of Object.entries(row)) {
      if (typeof value === 'bigint') throw unreadableNumber({ table, column });
    }
  }
}

/** True for what `unreadableNumber` made: one row cannot be read, and others can. */
export function isUnreadableNumber(error: unknown): error is WaybillError {
  return error instanceof WaybillError && error.details?.problem === 'number_too_large';
}
