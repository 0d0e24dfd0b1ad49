import { WaybillError } from '../../../contract/errors.ts';
import { triggerError } from '../trigger-error.ts';
import { unreadableNumber } from '../unreadable-number.ts';

/** Primary result codes, https://www.sqlite.org/rescode.html; the extended code keeps the primary in its low byte. */
const primary = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  constraint: 19,
  auth: 23,
  notADatabase: 26,
} as const;
const readOnlyMoved = 1032;
/** The file of the WAL's index cannot grow: what a disk that is full before the database is opened gives. */
const indexCannotGrow = 4874;

interface SqliteFailure {
  readonly errcode: number;
  readonly message: string;
}

function isSqliteFailure(error: unknown): error is SqliteFailure {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
}

/** True when another connection holds the lock this one asked for: worth waiting for. */
export function isBusy(error: unknown): boolean {
  if (!isSqliteFailure(error)) return false;
  const kind = error.errcode & 0xff;
  return kind === primary.busy || kind === primary.locked;
}

/** How `node:sqlite` reads an integer that no JavaScript number is; it names neither its table nor its column. */
export function isNumberTooLarge(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
}

/** What is written from then on would be gone with the process. */
export function databaseMoved(details: { readonly engineCode?: number } = {}): WaybillError {
  return new WaybillError('store_unavailable', 'the database file was moved or deleted while it was in use', {
    hint: 'Put the data folder back where it was, then run the command again.',
    details: { engine: 'sqlite', ...details },
  });
}

/**
 * What went wrong, in our codes. The engine's text is left out, because it can hold values; only a
 * constraint's text is kept, which names tables and columns.
 */
export function sqliteError(error: unknown): unknown {
  if (error instanceof WaybillError) return error;
  if (isNumberTooLarge(error)) return unreadableNumber({ engine: 'sqlite' });
  if (!isSqliteFailure(error)) return error;
  const details = { engine: 'sqlite', engineCode: error.errcode };
  const kind = error.errcode === indexCannotGrow ? primary.full : error.errcode & 0xff;
  switch (kind) {
    case primary.busy:
    case primary.locked:
      return new WaybillError('store_busy', 'another process keeps the database locked', {
        hint: 'Try again; if it lasts, look for a stopped waybill process that holds the workspace.',
        details,
      });
    case primary.readOnly:
      if (error.errcode === readOnlyMoved) {
        return databaseMoved(details);
      }
      return new WaybillError('store_read_only', 'the database cannot be written', {
        hint: 'Check the permissions of the data folder and whether its file system is mounted read-only.',
        details,
      });
    case primary.full:
      return new WaybillError('store_full', 'the disk is full; nothing of this change was written', {
        hint: 'Free some space on the disk of the data folder, then run the command again.',
        details,
      });
    case primary.corrupt:
    case primary.notADatabase:
      return new WaybillError('store_corrupt', 'the database file is damaged or is not a database', {
        hint: 'Keep the file, restore it from a backup, and see `waybill export` for evidence that is also in files.',
        details,
      });
    case primary.ioError:
      return new WaybillError('store_unavailable', 'the database file could not be read or written', {
        hint: 'Check the disk of the data folder.',
        details,
      });
    case primary.cannotOpen:
      return new WaybillError('store_unavailable', 'the database file could not be opened', {
        hint: 'Check that the data folder exists and that its permissions let you write it.',
        details,
      });
    case primary.auth:
      return new WaybillError('transaction_denied', 'a transaction scope was asked to run a statement it may not run', {
        hint: 'A scope may run one SELECT, INSERT, UPDATE or DELETE at a time, and a reading scope only SELECT.',
        details,
      });
    case primary.constraint:
      return triggerError(error.message) ?? constraintError(error.message, details);
    default:
      return new WaybillError('internal', `the database refused a statement (SQLite result code ${error.errcode})`, {
        hint: 'This is a defect in waybill or in a plugin: please report it.',
        details,
      });
  }
}

/** `UNIQUE constraint failed: a.b, a.c` names no values; a CHECK names itself or its expression. */
function constraintError(text: string, details: { engine: string; engineCode: number }): WaybillError {
  const parts = /^([A-Z ]+) constraint failed(?:: ([A-Za-z_][\w.]*(?:, [A-Za-z_][\w.]*)*)$)?/.exec(text);
  const kind = parts?.[1]?.toLowerCase() ?? 'trigger';
  const where = parts?.[2];
  return new WaybillError('store_constraint', `a ${kind} constraint refused the change`, {
    hint: 'Nothing of this change was written.',
    details: where === undefined ? { ...details, constraint: kind } : { ...details, constraint: kind, where },
  });
}
