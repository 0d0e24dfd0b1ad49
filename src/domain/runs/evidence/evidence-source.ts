import type { RunState } from '../../../contract/evidence.ts';

/** One ledger entry as it is kept: the hashed text and the chain's two members. */
export interface EventText {
  readonly text: string;
  readonly previous: string;
  readonly digest: string;
  /** Copies of members outside the hashed text, where a place keeps such. */
  readonly copies?: { readonly seq: number; readonly type: string };
}

export interface ReceiptText {
  readonly text: string;
  readonly copies?: {
    readonly number: number;
    readonly idempotencyKey: string;
    readonly name: string;
    readonly outcome: string;
    readonly digest: string;
  };
  /** For a shared receipt: the digest under which the ledger of its own run names it, where that is at hand. */
  readonly named?: string | undefined;
}

/** `apart`: this kind of evidence does not carry it, so it is not checked (and not counted). */
export type Kept<T> = T | 'missing' | 'apart';

/** Evidence of one run, wherever it lies: what `checkEvidence` asks for, piece by piece. */
export interface EvidenceSource {
  /** What the place says of the run as a whole. */
  readonly run: RunState;
  events(): AsyncIterable<EventText>;
  receipt(number: number): Promise<Kept<ReceiptText>>;
  /** How many receipts of the run itself there are. */
  receiptCount(): Promise<number>;
  sharedReceipts(): AsyncIterable<ReceiptText> | 'apart';
  /** Canonical text of the input. */
  input(): Promise<Kept<string>>;
  /** Text of the manifest of a tree; of the tree the run began with the one whose bytes the ledger names. */
  manifest(tree: string, bytes: string | null): Promise<Kept<string>>;
  blob(digest: string): Promise<Kept<Uint8Array>>;
  /** What no single part proves; asked last, so that a broken part is named before. @throws Broken */
  checkWhole?(): void;
}
