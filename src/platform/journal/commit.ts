import type { Operation, OperationStatement, WriteTx } from '../store/store.ts';
import { type AuditRecord, auditRow, auditStatement } from './audit.ts';
import { type OutboxEntry, outboxRow, outboxStatement } from './outbox.ts';

/** What is told of a change, in the same transaction as the change itself. */
export interface Told {
  readonly outbox?: readonly OutboxEntry[];
  readonly audit?: readonly AuditRecord[];
}

export interface OperationChange extends Told {
  readonly change: readonly OperationStatement[];
  /** Rows of a ledger that records the change. */
  readonly events?: readonly OperationStatement[];
  readonly lane?: string;
}

/**
 * A state change with its events, outbox entries and audit records as one operation: all of it commits, or nothing.
 * For the hot path: `store.submit(commitOperation({ ... }))`.
 */
export function commitOperation({ change, events = [], outbox = [], audit = [], lane }: OperationChange): Operation {
  const statements = [...events, ...change];
  if (outbox.length > 0) statements.push(outboxStatement(outbox));
  if (audit.length > 0) statements.push(auditStatement(audit));
  return lane === undefined ? { statements } : { statements, lane };
}

export interface ScopedChange extends Told {
  readonly change: () => Promise<void>;
  readonly events?: () => Promise<void>;
}

/** The same inside a transaction scope: `store.write((tx) => commit(tx, { ... }))`. */
export async function commit(tx: WriteTx, { change, events, outbox = [], audit = [] }: ScopedChange): Promise<void> {
  await events?.();
  await change();
  if (outbox.length > 0) await tx.db.insertInto('outbox').values(outbox.map(outboxRow)).execute();
  if (audit.length > 0) await tx.db.insertInto('audit').values(audit.map(auditRow)).execute();
}
