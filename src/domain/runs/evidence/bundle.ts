import { dirname } from 'node:path';
import { z } from 'zod';
import { WaybillError } from '../../../contract/errors.ts';
import { type Bundle, blobReferenceSchema, bundleSchema, snapshotManifestSchema } from '../../../contract/evidence.ts';
import type { RunId } from '../../../contract/ids.ts';
import { chainStart } from '../../../platform/chain/chain.ts';
import { formatTime } from '../../../platform/clock/clock.ts';
import { digestOf, parseDigest } from '../../../platform/digests/digest.ts';
import { sweepTemporaryFiles, writeFileDurably } from '../../../platform/files/write-file-durably.ts';
import type { ReadTx } from '../../../platform/store/store.ts';
import type { Engine } from '../engine.ts';
import { eventLine } from '../ledger/event-body.ts';
import { parseEvent } from '../ledger/read-events.ts';
import { readReceipts, readRunRow } from '../load-run.ts';
import { runStates } from '../run-states.ts';
import { bundleDigest, bundleText } from './bundle-text.ts';
import { beginningOf, type LedgerFacts } from './ledger-fold.ts';

export interface WrittenBundle {
  readonly bytes: number;
  /** Of the file. */
  readonly digest: string;
}

/** A text longer than this cannot be made in one piece; base64 makes three bytes four. */
const mostBlobBytes = 256 << 20;

type Exporting = Pick<Engine, 'store' | 'clock' | 'host' | 'blobs' | 'versions'>;

/**
 * A run with all that is needed to verify it and to go on with it elsewhere: its ledger, receipts (those it shares
 * too), input, trees, and the bytes of outputs and artifacts. One moment of the run, also of one that is at work.
 * @throws WaybillError `run_not_found`, `blob_missing`, `blob_corrupt`, `bundle_too_large`
 */
export async function exportBundle(engine: Exporting, runId: RunId): Promise<Bundle> {
  const from = { host: engine.host, now: engine.clock.now() };
  const stored = await engine.store.read(async (tx) => {
    const row = await readRunRow(tx, runId);
    const [run] = await runStates(tx, [row], from);
    const input = await tx.db
      .selectFrom('run_input')
      .select('input')
      .where('run', '=', runId)
      .executeTakeFirstOrThrow();
    const receipts = await readReceipts(tx, runId);
    const events = await readAllEvents(tx, runId);
    const { asked, started } = startOf(events);
    const trees = new Set([row.snapshot_digest, row.tree_digest]);
    for (const { receipt } of receipts) trees.add(receipt.snapshot).add(receipt.treeAfter);
    for (const { data } of events) trees.add(treeOf(data));
    const manifests = await manifestBlobs(tx, trees);
    // A tree can have manifests that differ in what was left out; the ledger names the one the run began with.
    const begun = started?.snapshot ?? null;
    if (begun !== null) manifests.set(begun.digest, begun.manifest);
    return { run, input: JSON.parse(input.input), receipts, events, manifests, inputBlob: asked.inputBlob?.blob };
  });
  const { run, receipts, events, manifests, inputBlob } = stored;
  if (run === undefined) throw new Error('one row gave no state');
  const bundle = {
    schema: 'waybill.bundle.v1' as const,
    createdAt: formatTime(from.now),
    createdBy: `waybill ${engine.versions.waybill ?? 'unknown'}`,
    run,
    input: stored.input,
    events,
    receipts: receipts.filter(({ shared }) => !shared).map(({ receipt }) => receipt),
    sharedReceipts: receipts.filter(({ shared }) => shared).map(({ receipt }) => receipt),
    snapshots: await readManifests(engine, manifests),
    blobs: await readBlobs(
      engine,
      namedBlobs(
        [inputBlob, outputBlobOf(events)],
        receipts.map(({ receipt }) => receipt),
      ),
    ),
  };
  return bundleSchema.parse({ ...bundle, digest: bundleDigest(bundle) });
}

/** Writes a bundle of a run to a file, durable when it resolves. @throws like `exportBundle`, and `file_write_failed` */
export async function writeBundle(engine: Exporting, runId: RunId, file: string): Promise<WrittenBundle> {
  const bytes = Buffer.from(bundleText(await exportBundle(engine, runId)));
  // An export that was killed left its half behind, where nothing else of ours would ever look for it.
  await sweepTemporaryFiles(dirname(file));
  await writeFileDurably(file, bytes);
  return { bytes: bytes.length, digest: digestOf(bytes) };
}

async function readAllEvents(tx: ReadTx, runId: RunId): Promise<Bundle['events']> {
  const rows = await tx.db
    .selectFrom('run_event')
    .select(['seq', 'body', 'digest'])
    .where('run', '=', runId)
    .orderBy('seq')
    .execute();
  let previous: string = chainStart;
  return rows.map(({ seq, body, digest }) => {
    const event = parseEvent({ seq, line: eventLine(body, previous, digest) });
    previous = digest;
    return event;
  });
}

/** What the first event says. @throws WaybillError `store_corrupt` */
function startOf(events: Bundle['events']): LedgerFacts {
  try {
    const facts = beginningOf(events);
    if (facts !== null) return facts;
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
  }
  throw new WaybillError('store_corrupt', 'the first event of the run does not say how it began', {
    hint: 'Find the first broken link with `waybill verify RUN`.',
  });
}

/** The tree an event names: the one the run began with, or one it accepted. */
function treeOf({ snapshot }: Bundle['events'][number]['data']): string | null {
  if (snapshot === null || typeof snapshot !== 'object' || !('digest' in snapshot)) return null;
  return typeof snapshot.digest === 'string' ? snapshot.digest : null;
}

/** The blob of the manifest of each tree. */
async function manifestBlobs(tx: ReadTx, trees: ReadonlySet<string | null>): Promise<Map<string, string>> {
  const named = [...trees].filter((tree) => tree !== null);
  if (named.length === 0) return new Map();
  const rows = await tx.db.selectFrom('snapshot').select(['digest', 'manifest']).where('digest', 'in', named).execute();
  return new Map(rows.map(({ digest, manifest }) => [digest, manifest]));
}

async function readManifests(engine: Exporting, blobs: ReadonlyMap<string, string>): Promise<Bundle['snapshots']> {
  const manifests: Bundle['snapshots'] = [];
  for (const tree of [...blobs.keys()].sort()) {
    const text = Buffer.from(await engine.blobs.get(parseDigest(blobs.get(tree)))).toString('utf8');
    manifests.push(snapshotManifestSchema.parse(JSON.parse(text)));
  }
  return manifests;
}

/** The run's own output when it lies apart. */
function outputBlobOf(events: Bundle['events']): string | undefined {
  const last = events.at(-1);
  const kept = last?.type === 'run.succeeded' ? blobReferenceSchema.safeParse(last.data.outputBlob) : undefined;
  return kept?.data?.blob;
}

/** Digests of all bytes that lie apart: a large input, large outputs, artifacts. */
function namedBlobs(ofRun: readonly (string | undefined)[], receipts: Bundle['receipts']): Set<string> {
  const named = new Set(ofRun.filter((blob) => blob !== undefined));
  for (const { outputsBlob, artifacts } of receipts) {
    if (outputsBlob !== undefined) named.add(outputsBlob.blob);
    for (const { digest } of artifacts) named.add(digest);
  }
  return named;
}

async function readBlobs(engine: Exporting, named: ReadonlySet<string>): Promise<Bundle['blobs']> {
  const blobs: Bundle['blobs'] = {};
  let total = 0;
  for (const digest of [...named].sort()) {
    const bytes = await engine.blobs.get(parseDigest(digest));
    total += bytes.length;
    if (total > mostBlobBytes) throw tooLarge();
    blobs[digest] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  }
  return blobs;
}

function tooLarge(): WaybillError {
  return new WaybillError(
    'bundle_too_large',
    `the outputs and artifacts of the run have more than ${mostBlobBytes} bytes`,
    {
      hint: 'Copy the workspace with its .waybill folder instead, or take its evidence files: waybill export RUN --files',
      details: { most: mostBlobBytes },
    },
  );
}
