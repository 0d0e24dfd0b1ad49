import { z } from 'zod';
import {
  type LedgerEvent,
  ledgerEventSchema,
  type Receipt,
  type RunState,
  receiptSchema,
  snapshotManifestSchema,
} from '../../../contract/evidence.ts';
import { problemsText, shapeProblems } from '../../../contract/shape-problems.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { chainStart } from '../../../platform/chain/chain.ts';
import { digestOf, parseDigest } from '../../../platform/digests/digest.ts';
import { snapshotIdOf } from '../../../platform/ids/snapshot-id.ts';
import { idempotencyKey } from '../keys/step-key.ts';
import { eventDigest } from '../ledger/event-body.ts';
import { snapshotDigest } from '../snapshots/differences.ts';
import { isTerminal } from '../states.ts';
import { assertSame, Broken, type Link } from './broken-link.ts';
import type { EventText, EvidenceSource, ReceiptText } from './evidence-source.ts';
import { foldEvent, type LedgerFacts, provenState } from './ledger-fold.ts';

/** How much was looked at; a part the evidence does not carry counts 0. */
export interface Checked {
  events: number;
  receipts: number;
  blobs: number;
  snapshots: number;
}

/**
 * Checks all that evidence of one run promises, in the order of its ledger, one event in memory at a time:
 * the chain, each step's receipt and key, the run's own claims, its input, trees and bytes.
 * @param checked counts up as it goes, so that a broken link says how far everything held
 * @throws Broken at the first promise that does not hold
 */
export async function checkEvidence(source: EvidenceSource, checked: Checked): Promise<LedgerFacts> {
  const { run } = source;
  if (run.lastSeq < 1) throw new Broken('run', 'run, member lastSeq', 'at least 1', String(run.lastSeq));
  const seen = new SeenContent(source, checked);
  let facts: LedgerFacts | null = null;
  let previous = chainStart;
  for await (const entry of source.events()) {
    const seq: number = (facts?.lastSeq ?? 0) + 1;
    const where = `event ${seq}`;
    if (facts?.terminal != null)
      throw new Broken('terminal event', where, 'nothing after the terminal event', 'an event');
    const event = readEvent(entry, run.runId, seq, previous);
    const receipt = await receiptOf(source, event, facts);
    facts = guarded('schema', where, () => foldEvent(facts, event, receipt));
    previous = parseDigest(event.digest);
    checked.events += 1;
    if (receipt !== null) {
      checkKey(receipt, `receipt ${receipt.number}`, facts.root);
      checked.receipts += 1;
      await seen.ofReceipt(receipt, where);
    }
    if (seq === 1) await checkInput(source, facts, seen);
    if (event.type === 'run.started') await checkStart(facts, seen, where);
    if (event.type === 'drift.accepted') await seen.tree(facts.snapshot?.digest ?? null, where);
    if (facts.outputBlob !== null) await seen.blob(facts.outputBlob, where);
    if (seq === run.lastSeq) checkClaims(run, facts);
  }
  if (facts === null) throw new Broken('seq', 'event 1', 'at least one event', 'none');
  if (facts.lastSeq < run.lastSeq) {
    throw new Broken('seq', `event ${facts.lastSeq + 1}`, `events up to ${run.lastSeq}`, 'the end of the ledger');
  }
  if (isTerminal(run.state)) assertSame('run', 'the last event', String(run.lastSeq), String(facts.lastSeq));
  const count = await source.receiptCount();
  const isLive = !isTerminal(run.state);
  if (count !== facts.receipts && !(isLive && count > facts.receipts)) {
    throw new Broken(
      'receipt',
      `receipt ${facts.receipts + 1}`,
      `${facts.receipts} receipts, one an event`,
      String(count),
    );
  }
  await checkShared(source, facts, checked, seen);
  source.checkWhole?.();
  return facts;
}

function readEvent(entry: EventText, runId: string, seq: number, previous: typeof chainStart): LedgerEvent {
  const where = `event ${seq}`;
  assertSame('previous', where, previous, entry.previous);
  assertSame('digest', where, eventDigest(previous, entry.text), entry.digest);
  const value = guarded('format', where, () => objectOf(entry.text));
  assertSame(
    'canonical form',
    where,
    guarded('canonical form', where, () => canonicalJson(value)),
    entry.text,
  );
  const event = guarded('schema', where, () =>
    ledgerEventSchema.parse({ ...value, previous: entry.previous, digest: entry.digest }),
  );
  assertSame('run id', where, runId, event.runId);
  assertSame('seq', where, String(seq), String(event.seq));
  if (entry.copies !== undefined) {
    assertSame('seq', where, String(seq), String(entry.copies.seq));
    assertSame('schema', where, event.type, entry.copies.type);
  }
  return event;
}

function objectOf(text: string): object {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null) return value;
  throw new Error('it is JSON, but no object');
}

const closing = z.looseObject({ receipt: z.string(), number: z.int() });

/** The receipt that a closing event names, held against that name; null for every other event. */
async function receiptOf(
  source: EvidenceSource,
  event: LedgerEvent,
  before: LedgerFacts | null,
): Promise<Receipt | null> {
  if (event.type !== 'step.succeeded' && event.type !== 'step.failed') return null;
  const where = `event ${event.seq}`;
  const named = guarded('receipt', where, () => closing.parse(event.data));
  assertSame('receipt', where, String((before?.receipts ?? 0) + 1), String(named.number));
  const kept = await source.receipt(named.number);
  if (kept === 'missing' || kept === 'apart')
    throw new Broken('receipt', where, named.receipt, `no receipt ${named.number}`);
  const at = `receipt ${named.number} of ${where}`;
  assertSame('receipt', at, named.receipt, digestOf(kept.text));
  const receipt = readReceipt(kept, at);
  assertSame('run id', at, event.runId, receipt.runId);
  assertSame('receipt', at, String(named.number), String(receipt.number));
  assertSame('receipt', at, event.type === 'step.succeeded' ? 'succeeded' : 'failed', receipt.outcome);
  assertSame('seq', at, String(event.seq), String(receipt.events.last));
  return receipt;
}

function readReceipt({ text, copies }: ReceiptText, where: string): Receipt {
  const value: unknown = guarded('format', where, () => JSON.parse(text));
  const receipt = guarded('schema', where, () => receiptSchema.parse(value));
  assertSame(
    'canonical form',
    where,
    guarded('canonical form', where, () => canonicalJson(value)),
    text,
  );
  if (copies !== undefined) {
    assertSame('receipt', where, String(receipt.number), String(copies.number));
    assertSame('receipt', where, digestOf(text), copies.digest);
    assertSame('receipt', where, receipt.idempotencyKey, copies.idempotencyKey);
    assertSame('receipt', where, receipt.step.name, copies.name);
    assertSame('receipt', where, receipt.outcome, copies.outcome);
  }
  return receipt;
}

function checkKey(receipt: Receipt, where: string, root: string): void {
  assertSame('origin', where, root, receipt.root);
  const key = guarded('idempotency key', where, () =>
    idempotencyKey(receipt, { snapshot: receipt.snapshot, root: receipt.root }),
  );
  assertSame('idempotency key', where, key, receipt.idempotencyKey);
}

/** What the run's row or file says, held against what the ledger proves up to the same event. */
function checkClaims(run: RunState, facts: LedgerFacts): void {
  for (const [name, proven] of Object.entries(provenState(run.runId, facts))) {
    const claimed: unknown = Object.entries(run).find(([key]) => key === name)?.[1];
    assertSame('run', `run, member ${name}`, canonicalJson(proven), canonicalJson(claimed ?? null));
  }
  if (facts.terminal === null && isTerminal(run.state)) {
    throw new Broken(
      'terminal event',
      `event ${run.lastSeq}`,
      `the event that made the run ${run.state}`,
      'another event',
    );
  }
  const { origin } = facts.asked;
  if (run.origin?.kind === 'import') return;
  const expected =
    origin === undefined ? null : { runId: origin.runId, kind: origin.kind, from: origin.from, reason: origin.reason };
  assertSame('origin', 'run, member origin', canonicalJson(expected), canonicalJson(run.origin));
}

async function checkStart({ asked, started }: LedgerFacts, seen: SeenContent, where: string): Promise<void> {
  if (started === null) return;
  if (asked.inputDigest !== undefined) {
    assertSame('input', where, asked.inputDigest, started.provenance.inputDigest);
  }
  if (started.snapshot !== null) await seen.firstTree(started.snapshot, where);
}

async function checkInput(source: EvidenceSource, facts: LedgerFacts, seen: SeenContent): Promise<void> {
  const { input, inputBlob, inputDigest = facts.started?.provenance.inputDigest } = facts.asked;
  if (inputBlob !== undefined) await seen.blob(inputBlob.blob, 'event 1');
  const kept = await source.input();
  if (kept === 'apart') return;
  const named = inputDigest ?? 'a digest in the first event';
  if (kept === 'missing') throw new Broken('input', 'the input', named, 'no input');
  assertSame('input', 'the input', named, digestOf(kept));
  if (input !== undefined) assertSame('input', 'the input', canonicalJson(input), kept);
}

async function checkShared(
  source: EvidenceSource,
  facts: LedgerFacts,
  checked: Checked,
  seen: SeenContent,
): Promise<void> {
  const all = source.sharedReceipts();
  if (all === 'apart') return;
  const known = new Set<string>();
  for await (const kept of all) {
    const receipt = readReceipt(kept, `shared receipt ${known.size + 1}`);
    const where = `receipt ${receipt.number} of ${receipt.runId}`;
    if (known.has(where)) throw new Broken('origin', where, 'each shared receipt once', 'twice');
    if (receipt.runId === source.run.runId)
      throw new Broken('origin', where, 'a receipt of another run', 'one of its own');
    known.add(where);
    if (kept.named !== undefined) assertSame('receipt', where, kept.named, digestOf(kept.text));
    checkKey(receipt, where, receipt.root);
    await seen.ofReceipt(receipt, where);
    checked.receipts += 1;
  }
  assertSame('origin', 'shared receipts', String(facts.asked.origin?.receipts ?? 0), String(known.size));
}

/** Trees and bytes that the ledger and the receipts name: each is looked at once. */
class SeenContent {
  readonly #source: EvidenceSource;
  readonly #checked: Checked;
  readonly #trees = new Set<string>();
  readonly #blobs = new Set<string>();

  constructor(source: EvidenceSource, checked: Checked) {
    this.#source = source;
    this.#checked = checked;
  }

  async ofReceipt(receipt: Receipt, where: string): Promise<void> {
    if (receipt.outputsBlob !== undefined) await this.blob(receipt.outputsBlob.blob, where);
    for (const artifact of receipt.artifacts) await this.blob(artifact.digest, where);
    await this.tree(receipt.treeAfter, where);
    await this.tree(receipt.snapshot, where);
  }

  async blob(digest: string, where: string): Promise<void> {
    if (this.#blobs.has(digest)) return;
    this.#blobs.add(digest);
    const bytes = await this.#source.blob(digest);
    if (bytes === 'apart') return;
    if (bytes === 'missing') throw new Broken('blob', where, digest, 'no bytes under this digest');
    assertSame('blob', where, digest, digestOf(bytes));
    this.#checked.blobs += 1;
  }

  /** The tree the run began with: of its manifest the ledger names every byte, what was left out included. */
  async firstTree(tree: { readonly digest: string; readonly manifest: string }, where: string): Promise<void> {
    const text = await this.#manifest(tree.digest, where, tree.manifest);
    if (text !== undefined) assertSame('snapshot', `snapshot of ${where}`, tree.manifest, digestOf(text));
  }

  async tree(digest: string | null, where: string): Promise<void> {
    if (digest !== null && !this.#trees.has(digest)) await this.#manifest(digest, where, null);
  }

  async #manifest(digest: string, where: string, bytes: string | null): Promise<string | undefined> {
    this.#trees.add(digest);
    const text = await this.#source.manifest(digest, bytes);
    if (text === 'apart') return undefined;
    const at = `snapshot ${digest} of ${where}`;
    if (text === 'missing') throw new Broken('snapshot', at, digest, 'no manifest of this tree');
    checkManifest(text, digest, at);
    this.#checked.snapshots += 1;
    return text;
  }
}

/** @throws Broken when a manifest is not the one of this tree */
function checkManifest(text: string, digest: string, where: string): void {
  const value: unknown = guarded('snapshot', where, () => JSON.parse(text));
  const manifest = guarded('snapshot', where, () => snapshotManifestSchema.parse(value));
  assertSame('canonical form', where, canonicalJson(value), text);
  const files = manifest.files.map(({ raw, ...file }) => ({
    ...file,
    digest: parseDigest(file.digest),
    ...(raw === undefined ? {} : { raw }),
  }));
  const found = guarded('snapshot', where, () => snapshotDigest(manifest.rule, files));
  assertSame('snapshot', where, digest, found);
  assertSame('snapshot', where, found, manifest.digest);
  assertSame('snapshot', where, snapshotIdOf(found), manifest.id);
  assertSame('snapshot', where, String(files.length), String(manifest.count));
  assertSame('snapshot', where, String(files.reduce((sum, { size }) => sum + size, 0)), String(manifest.bytes));
}

/** Whatever a piece of broken evidence makes a parser throw is a broken link, not a failure of ours. */
function guarded<T>(link: Link, where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Broken) throw error;
    throw new Broken(link, where, 'what its format says', reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return problemsText(shapeProblems(error.issues));
  return error instanceof Error ? error.message : String(error);
}
