import { WaybillError } from '../../../contract/errors.ts';
import type { Receipt } from '../../../contract/evidence.ts';
import type { Digest, RunId } from '../../../contract/ids.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import type { Clock, Micros } from '../../../platform/clock/clock.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import type { OperationStatement, SqlValue, Store } from '../../../platform/store/store.ts';
import type { TerminalState } from '../states.ts';
import { type EventDraft, eventBody, eventDigest } from './event-body.ts';
import * as statements from './statements.ts';

/** Where a run's ledger stands: what the holder keeps in memory and every append checks against the row. */
export interface LedgerHead {
  readonly runId: RunId;
  readonly epoch: number;
  readonly seq: number;
  readonly digest: Digest;
  readonly receipts: number;
  /** Digest of the tree after the last step that could touch it. */
  readonly tree: Digest | null;
}

/** What the row of the run becomes in the same commit; by default only its head moves. */
export type HeadChange =
  | { readonly kind: 'begin'; readonly snapshot: { readonly id: string; readonly digest: Digest } | null }
  | { readonly kind: 'accept-tree'; readonly snapshotId: string; readonly digest: Digest }
  | { readonly kind: 'suspend'; readonly state: 'running' | 'waiting'; readonly wakeAt: Micros | null }
  | {
      readonly kind: 'finish';
      readonly state: TerminalState;
      readonly reason: string | null;
      readonly output: string | null;
    };

export interface Append {
  readonly events: readonly EventDraft[];
  /** Builds the receipt once the seq of the first event and the receipt's number are known. */
  readonly receipt?: (place: {
    readonly first: number;
    readonly last: number;
    readonly number: number;
    readonly now: Micros;
  }) => Receipt;
  readonly tree?: Digest | null;
  readonly change?: HeadChange;
  /** Further rows of the same commit: pending steps, processes, requests, audit, outbox. */
  readonly also?: readonly OperationStatement[];
}

export interface Appended {
  readonly first: number;
  readonly last: number;
  readonly receipt: Receipt | null;
}

/**
 * Appends to one run's ledger, for the holder of its lease alone.
 *
 * Seq, chain and receipt numbers are assigned here, in memory and at once, so concurrent steps get their places
 * in the order of their calls while their commits share a group. Each operation checks epoch and old head in the
 * row; when one fails, all that were built on it fail too (`poison`), and the holder has to read the head again.
 */
export class LedgerWriter {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #runId: RunId;
  readonly #epoch: number;
  #seq: number;
  #digest: Digest;
  #receipts: number;
  #tree: Digest | null;
  #poison: unknown;
  #closed = false;

  constructor(store: Store, clock: Clock, head: LedgerHead) {
    this.#store = store;
    this.#clock = clock;
    this.#runId = head.runId;
    this.#epoch = head.epoch;
    this.#seq = head.seq;
    this.#digest = head.digest;
    this.#receipts = head.receipts;
    this.#tree = head.tree;
  }

  get runId(): RunId {
    return this.#runId;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Seq that the next event will get. */
  get nextSeq(): number {
    return this.#seq + 1;
  }

  get tree(): Digest | null {
    return this.#tree;
  }

  /**
   * Resolves when all of it is durable.
   * @throws WaybillError `stale_epoch` when the lease was lost, `ledger_closed` after the terminal event, or what the store says.
   */
  async append(entry: Append): Promise<Appended> {
    if (this.#poison !== undefined) throw this.#poison;
    if (this.#closed) {
      throw new WaybillError('ledger_closed', `run ${this.#runId} is finished: nothing follows its terminal event`);
    }
    const place = this.#place(entry, this.#clock.now());
    try {
      await this.#store.submit({ lane: this.#runId, statements: place.statements });
    } catch (error) {
      this.#poison ??= error;
      throw error;
    }
    this.#store.hints.announce(`run:${this.#runId}`);
    if (entry.change?.kind === 'finish') this.#store.hints.announce(`end:${this.#runId}`);
    return { first: place.first, last: place.last, receipt: place.receipt };
  }

  /**
   * The same as rows of a commit that somebody else makes: the one that makes the run itself. When that commit fails,
   * this writer is worth nothing.
   */
  prepare(entry: Append, now: Micros): readonly OperationStatement[] {
    return this.#place(entry, now).statements;
  }

  #place(entry: Append, now: Micros): Appended & { statements: OperationStatement[] } {
    const oldSeq = this.#seq;
    const first = oldSeq + 1;
    const last = oldSeq + entry.events.length;
    const all: OperationStatement[] = [];
    let receipt: Receipt | null = null;
    let receiptMark: { receipt: string; number: number } | null = null;
    if (entry.receipt !== undefined) {
      receipt = entry.receipt({ first, last, number: this.#receipts + 1, now });
      const body = canonicalJson(receipt);
      const digest = digestOf(body);
      receiptMark = { receipt: digest, number: receipt.number };
      all.push({
        sql: statements.insertReceipt,
        rows: [[this.#runId, receipt.number, receipt.idempotencyKey, receipt.step.name, receipt.outcome, body, digest]],
      });
    }
    const rows: SqlValue[][] = [];
    let digest = this.#digest;
    for (const [index, event] of entry.events.entries()) {
      // The step's closing event names its receipt by digest, which ties the receipt to the chain.
      const isClosing = receiptMark !== null && (event.type === 'step.succeeded' || event.type === 'step.failed');
      const draft = isClosing ? { ...event, data: { ...event.data, ...receiptMark } } : event;
      const seq = first + index;
      const body = eventBody(this.#runId, seq, now, draft);
      digest = eventDigest(digest, body);
      rows.push([this.#runId, seq, draft.type, body, digest]);
    }
    if (rows.length > 0) all.unshift({ sql: statements.insertEvent, rows });
    // Only now: an event that cannot be written must leave the head as it was.
    if (receipt !== null) this.#receipts = receipt.number;
    if (entry.tree !== undefined) this.#tree = entry.tree;
    this.#seq = last;
    this.#digest = digest;
    all.push(...(entry.also ?? []), this.#headStatement(entry.change, oldSeq, now));
    return { first, last, receipt, statements: all };
  }

  #headStatement(change: HeadChange | undefined, oldSeq: number, now: Micros): OperationStatement {
    const head: SqlValue[] = [this.#seq, this.#digest, this.#receipts, this.#tree];
    const fence: SqlValue[] = [this.#runId, this.#epoch, oldSeq];
    const fenced = { expectChanges: 1, refuse: () => this.#stale() };
    switch (change?.kind) {
      case undefined:
        return { sql: statements.advanceRun, rows: [[...head, ...fence]], ...fenced };
      case 'begin': {
        const { snapshot } = change;
        const began: SqlValue[] = [snapshot?.id ?? null, snapshot?.digest ?? null, now];
        return { sql: statements.beginRun, rows: [[...head, ...began, ...fence]], ...fenced };
      }
      case 'accept-tree':
        return { sql: statements.acceptTree, rows: [[...head, change.snapshotId, change.digest, ...fence]], ...fenced };
      case 'suspend':
        this.#closed = true;
        return { sql: statements.suspendRun, rows: [[...head, change.state, change.wakeAt, ...fence]], ...fenced };
      case 'finish':
        this.#closed = true;
        return {
          sql: statements.finishRun,
          rows: [[...head, change.state, change.reason, change.output, now, ...fence]],
          ...fenced,
        };
      default:
        return change satisfies never;
    }
  }

  #stale(): WaybillError {
    return new WaybillError('stale_epoch', `the lease on run ${this.#runId} was lost: another process took it over`, {
      hint: `Look who holds it now: waybill show ${this.#runId}`,
      details: { epoch: this.#epoch },
    });
  }
}
