import { WaybillError } from '../../../contract/errors.ts';
import { triggerError } from '../trigger-error.ts';

interface PostgresFailure {
  /** SQLSTATE, https://www.postgresql.org/docs/18/errcodes-appendix.html, or a system error such as ECONNREFUSED. */
  readonly code: string;
  readonly message: string;
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
}

function isPostgresFailure(error: unknown): error is PostgresFailure {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/** The SQLSTATE or system code of an engine error. */
export function engineCode(error: unknown): string | undefined {
  return isPostgresFailure(error) ? error.code : undefined;
}

/** The words of `pg-pool` for a wait that was too long; it has no code for them. */
const poolExhausted = 'timeout exceeded when trying to connect';

const constraintKinds: Readonly<Record<string, string>> = {
  '23502': 'not null',
  '23503': 'foreign key',
  '23505': 'unique',
  '23514': 'check',
};

/**
 * What went wrong, in our codes. The engine's text and detail are left out, because they hold values; names of
 * tables, columns and constraints are kept.
 */
export function postgresError(error: unknown): unknown {
  if (error instanceof WaybillError) return error;
  if (!isPostgresFailure(error)) {
    if (error instanceof Error && error.message === poolExhausted) {
      return new WaybillError('store_busy', 'no connection of the pool became free in time', {
        hint: 'Try again, or give the store a larger pool.',
        details: { engine: 'postgres' },
      });
    }
    // The driver reports a lost or refused connection with a plain Error and a text of its own.
    if (error instanceof Error && /connect|terminated|timeout|closed/i.test(error.message))
      return unavailable({ engine: 'postgres' });
    return error;
  }
  const details = { engine: 'postgres', engineCode: error.code };
  switch (error.code) {
    case 'P0001':
      return triggerError(error.message) ?? refusedBy('trigger', error, details);
    case '40001':
    case '40P01':
    case '57014':
      return new WaybillError('store_busy', 'the database gave up waiting for other transactions', {
        hint: 'Try again.',
        details,
      });
    case '55P03':
      return new WaybillError('store_busy', 'another transaction kept a lock for too long', {
        hint: 'Try again; if it lasts, look for a stopped waybill process.',
        details,
      });
    case '25P02':
      return new WaybillError('transaction_statement_failed', 'a statement of this transaction has failed before', {
        hint: 'Let the error leave the scope, so that the transaction is rolled back.',
        details,
      });
    case '25006':
    case '42501':
      return new WaybillError('transaction_denied', 'a transaction scope was asked to run a statement it may not run', {
        hint: 'A scope may run one SELECT, INSERT, UPDATE or DELETE at a time, and a reading scope only SELECT.',
        details,
      });
    case '53100':
      return new WaybillError(
        'store_full',
        'the disk of the database server is full; nothing of this change was written',
        {
          hint: 'Free some space on the server, then run the command again.',
          details,
        },
      );
    case 'XX001':
    case 'XX002':
      return new WaybillError('store_corrupt', 'the database is damaged', {
        hint: 'Restore it from a backup.',
        details,
      });
    case '3D000':
      return new WaybillError('store_unavailable', 'the database does not exist on the server', {
        hint: 'Create it, or correct the connection.',
        details,
      });
    default:
  }
  if (error.code.startsWith('23')) return refusedBy(constraintKinds[error.code] ?? 'integrity', error, details);
  if (error.code.startsWith('28')) {
    return new WaybillError('store_unavailable', 'the database refused the user or its password', {
      hint: 'Correct the connection.',
      details,
    });
  }
  if (/^(08|53|57P|E[A-Z]{3})/.test(error.code)) return unavailable(details);
  return new WaybillError('internal', `the database refused a statement (SQLSTATE ${error.code})`, {
    hint: 'This is a defect in waybill or in a plugin: please report it.',
    details,
  });
}

function unavailable(details: { engine: string; engineCode?: string }): WaybillError {
  return new WaybillError('store_unavailable', 'the database server cannot be reached', {
    hint: 'Check that it runs and that the connection is right.',
    details,
  });
}

function refusedBy(
  kind: string,
  failure: PostgresFailure,
  details: { engine: string; engineCode: string },
): WaybillError {
  const where = [failure.table, failure.column ?? failure.constraint]
    .filter((part) => typeof part === 'string')
    .join('.');
  return new WaybillError('store_constraint', `a ${kind} constraint refused the change`, {
    hint: 'Nothing of this change was written.',
    details: where === '' ? { ...details, constraint: kind } : { ...details, constraint: kind, where },
  });
}
