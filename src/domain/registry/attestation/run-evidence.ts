import { type Receipt, receiptSchema } from '../../../contract/evidence.ts';
import { type Digest, parseId } from '../../../contract/ids.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { type Checked, checkEvidence } from '../../runs/evidence/check-evidence.ts';
import type { EvidenceSource, ReceiptText } from '../../runs/evidence/evidence-source.ts';
import type { LedgerFacts } from '../../runs/evidence/ledger-fold.ts';

/** A receipt with the digest of its text, as the ledger of its run names it. */
export interface ProvenReceipt {
  readonly receipt: Receipt;
  readonly digest: Digest;
}

/** What a run's evidence proves, after all of it was checked. */
export interface ProvenRun {
  readonly runId: string;
  readonly facts: LedgerFacts;
  /** Those shared with earlier runs first, then its own in order. */
  readonly receipts: readonly ProvenReceipt[];
  readonly checked: Readonly<Checked>;
}

/**
 * Checks all evidence of a run, and gathers what a release says of it.
 * @param checked counts up as it goes
 * @throws Broken at the first promise that does not hold
 */
export async function proveRun(
  source: EvidenceSource,
  checked: Checked = { events: 0, receipts: 0, blobs: 0, snapshots: 0 },
): Promise<ProvenRun> {
  const facts = await checkEvidence(source, checked);
  const receipts: ProvenReceipt[] = [];
  const shared = source.sharedReceipts();
  if (shared !== 'apart') for await (const kept of shared) receipts.push(provenReceipt(kept));
  for (let number = 1; number <= facts.receipts; number++) {
    const kept = await source.receipt(number);
    if (kept !== 'missing' && kept !== 'apart') receipts.push(provenReceipt(kept));
  }
  return { runId: source.run.runId, facts, receipts, checked };
}

function provenReceipt({ text }: ReceiptText): ProvenReceipt {
  return { receipt: receiptSchema.parse(JSON.parse(text)), digest: digestOf(text) };
}

/** A file a run made, as the last step that made it left it. */
export interface RunArtifact {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/** The artifacts of its good receipts by path; of a path that several made, the last. */
export function artifactsOf({ receipts }: Pick<ProvenRun, 'receipts'>): readonly RunArtifact[] {
  const last = new Map<string, RunArtifact>();
  for (const { receipt } of receipts) {
    if (receipt.outcome !== 'succeeded') continue;
    for (const { path, size, digest } of receipt.artifacts) {
      last.set(path, { path, size, digest: parseId('digest', digest) });
    }
  }
  return [...last.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
