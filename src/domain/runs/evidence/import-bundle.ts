import { WaybillError } from '../../../contract/errors.ts';
import { type Bundle, bundleSchema, type Receipt } from '../../../contract/evidence.ts';
import { parseId, type RunId } from '../../../contract/ids.ts';
import { canonicalJson } from '../../../platform/canonical-json/canonical-json.ts';
import { digestOf } from '../../../platform/digests/digest.ts';
import { commit } from '../../../platform/journal/commit.ts';
import type { WriteTx } from '../../../platform/store/store.ts';
import type { Engine } from '../engine.ts';
import { bodyOf } from '../ledger/event-body.ts';
import { readRemovedRun, runRemoved } from '../retention/removed-run.ts';
import { Broken } from './broken-link.ts';
import { bundleSourceOf } from './bundle-source.ts';
import { checkEvidence } from './check-evidence.ts';
import type { LedgerFacts } from './ledger-fold.ts';
import { openSteps } from './open-steps.ts';
import { parseTime } from './parse-time.ts';
import { decodeUtf8, readBytes } from './read-text.ts';

export interface ImportedRun {
  readonly runId: RunId;
  /** False when the very same run, or a later state of it, was here already: nothing was changed. */
  readonly created: boolean;
  readonly events: number;
  readonly receipts: number;
}

type Importing = Pick<Engine, 'store' | 'blobs' | 'clock'>;

/**
 * Takes a run over from a bundle: verifies all of it first, then writes it in one transaction. A run that is not
 * finished arrives as interrupted, held by nobody; it is gone on with like any other.
 * @throws WaybillError `bundle_invalid` naming the first broken link; `import_conflict` when another run of this id, or
 * another receipt of a run it shares receipts with, is here; `file_read_failed`
 */
export async function importBundle(engine: Importing, file: string, actor: string): Promise<ImportedRun> {
  const { bundle, facts } = await readVerified(file);
  const runId = parseId('run', bundle.run.runId);
  const receipts = bundle.receipts.length + bundle.sharedReceipts.length;
  const answer = { runId, events: bundle.events.length, receipts };
  for (const bytes of Object.values(bundle.blobs)) await engine.blobs.put(Buffer.from(bytes, 'base64'));
  const manifests = new Map<string, string>();
  for (const manifest of bundle.snapshots) {
    manifests.set(manifest.digest, await engine.blobs.put(Buffer.from(canonicalJson(manifest))));
  }
  const created = await engine.store.write(async (tx) => {
    if (await isHere(tx, bundle)) return false;
    await commit(tx, {
      change: () => insertRun(tx, bundle, facts, manifests, engine.clock.now()),
      audit: [{ at: engine.clock.now(), actor, action: 'run.imported', resource: runId, outcome: 'succeeded' }],
    });
    return true;
  });
  engine.store.hints.announce(`run:${runId}`);
  return { ...answer, created };
}

async function readVerified(file: string): Promise<{ readonly bundle: Bundle; readonly facts: LedgerFacts }> {
  try {
    const content = await readBytes(file);
    const facts = await checkEvidence(bundleSourceOf(content), { events: 0, receipts: 0, blobs: 0, snapshots: 0 });
    return { bundle: bundleSchema.parse(JSON.parse(decodeUtf8(content))), facts };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new WaybillError('bundle_invalid', `the bundle is not intact: ${error.message}`, {
      hint: 'Only bundles of runs are imported, not releases; export it again where it came from, and look closer with: waybill verify FILE',
      details: { ...error.broken },
      cause: error,
    });
  }
}

/**
 * True when the ledger here holds all of the bundle's: the same run, maybe further on.
 * @throws WaybillError `import_conflict`; `run_removed`, because a run that was removed here stays so
 */
async function isHere(tx: WriteTx, { run }: Bundle): Promise<boolean> {
  const runId = parseId('run', run.runId);
  const exists = await tx.db.selectFrom('run').select('id').where('id', '=', runId).executeTakeFirst();
  if (exists === undefined) {
    const removed = await readRemovedRun(tx, runId);
    if (removed !== null) throw runRemoved(removed);
    return false;
  }
  const same = await tx.db
    .selectFrom('run_event')
    .select('digest')
    .where('run', '=', run.runId)
    .where('seq', '=', run.lastSeq)
    .executeTakeFirst();
  if (same?.digest === run.lastDigest) return true;
  throw conflict(`another ${run.runId} is here: their ledgers part before event ${run.lastSeq}`);
}

function conflict(message: string): WaybillError {
  return new WaybillError('import_conflict', message, {
    hint: 'Import the bundle into another workspace, or verify both: nothing was changed here.',
  });
}

/** The run's own row comes last: until then its receipts are those of a run that is not here. */
async function insertRun(
  tx: WriteTx,
  bundle: Bundle,
  facts: LedgerFacts,
  manifests: ReadonlyMap<string, string>,
  now: number,
): Promise<void> {
  const { run } = bundle;
  await insertSnapshots(tx, bundle, manifests, now);
  for (const receipt of [...bundle.sharedReceipts, ...bundle.receipts]) await insertReceipt(tx, receipt);
  for (const { runId, number } of bundle.sharedReceipts) {
    await tx.db.insertInto('shared_receipt').values({ run: run.runId, origin_run: runId, number }).execute();
  }
  await insertEvents(tx, bundle);
  await tx.db
    .insertInto('run_input')
    .values({ run: run.runId, input: canonicalJson(bundle.input) })
    .execute();
  await insertPending(tx, bundle, facts);
  await insertRunRow(tx, bundle, facts);
  await tx.db
    .insertInto('run_link')
    .values({
      run: run.runId,
      origin_run: facts.asked.origin?.runId ?? run.runId,
      kind: 'import',
      from_step: facts.asked.origin?.from ?? null,
      reason: `exported by ${bundle.createdBy} at ${bundle.createdAt}`,
      created_at: now,
    })
    .execute();
}

async function insertSnapshots(
  tx: WriteTx,
  bundle: Bundle,
  manifests: ReadonlyMap<string, string>,
  now: number,
): Promise<void> {
  for (const { digest, id } of bundle.snapshots) {
    const manifest = manifests.get(digest);
    if (manifest === undefined) continue;
    await tx.db
      .insertInto('snapshot')
      .values({ digest, id, manifest, created_at: now })
      .onConflict((conflicting) => conflicting.column('digest').doNothing())
      .execute();
  }
}

/** A receipt can be here already, when another run that shares it was imported before. */
async function insertReceipt(tx: WriteTx, receipt: Receipt): Promise<void> {
  const { runId, number } = receipt;
  const body = canonicalJson(receipt);
  const digest = digestOf(body);
  const here = await tx.db
    .selectFrom('receipt')
    .select('digest')
    .where('run', '=', runId)
    .where('number', '=', number)
    .executeTakeFirst();
  if (here?.digest === digest) return;
  if (here !== undefined) throw conflict(`another receipt ${number} of ${runId} is here`);
  // A run that is here gets its receipts from its own work, each with its event: none is put under it.
  const owner = await tx.db.selectFrom('run').select('id').where('id', '=', runId).executeTakeFirst();
  if (owner !== undefined) throw conflict(`${runId} is here, without the receipt ${number} that is shared`);
  await tx.db
    .insertInto('receipt')
    .values({
      run: runId,
      number,
      idempotency_key: receipt.idempotencyKey,
      name: receipt.step.name,
      outcome: receipt.outcome,
      body,
      digest,
    })
    .execute();
}

async function insertEvents(tx: WriteTx, { run, events }: Bundle): Promise<void> {
  const pageSize = 500;
  for (let at = 0; at < events.length; at += pageSize) {
    const rows = events.slice(at, at + pageSize).map((event) => ({
      run: run.runId,
      seq: event.seq,
      type: event.type,
      body: bodyOf(event),
      digest: event.digest,
    }));
    await tx.db.insertInto('run_event').values(rows).execute();
  }
}

async function insertPending(tx: WriteTx, bundle: Bundle, facts: LedgerFacts): Promise<void> {
  if (facts.terminal !== null) return;
  const { tasks } = facts.asked;
  const trees = [
    facts.snapshot?.digest ?? null,
    facts.started?.snapshot?.digest ?? null,
    ...bundle.snapshots.map((each) => each.digest),
  ];
  for (const step of openSteps(bundle.events, { tasks, trees, root: facts.root })) {
    await tx.db
      .insertInto('pending_step')
      .values({
        run: bundle.run.runId,
        idempotency_key: step.idempotencyKey,
        action: step.work.action,
        name: step.work.step.name,
        attempt: step.attempt,
        waiting_for: step.waitingFor,
        body: canonicalJson({ work: step.work, failures: step.failures, snapshot: step.snapshot, until: step.until }),
        first_seq: step.firstSeq,
        started_at: step.startedAt,
      })
      .execute();
  }
}

/** Everything in the row comes from the ledger, which was verified, and nothing from what the bundle says of itself. */
async function insertRunRow(tx: WriteTx, { run }: Bundle, facts: LedgerFacts): Promise<void> {
  const { asked, started, terminal, snapshot } = facts;
  await tx.db
    .insertInto('run')
    .values({
      id: run.runId,
      workflow: asked.workflow,
      tasks: canonicalJson(asked.tasks),
      state: terminal === null ? (started === null ? 'queued' : 'running') : run.state,
      actor: asked.actor,
      root: facts.root,
      // Of a run that has not started nobody knows what it would record: a list is what most do.
      snapshot_mode: started !== null && started.snapshot === null ? 'none' : 'list',
      snapshot_id: snapshot?.id ?? null,
      snapshot_digest: snapshot?.digest ?? null,
      tree_digest: facts.treeAfter,
      output: terminal?.type === 'run.succeeded' ? canonicalJson(facts.output) : null,
      reason: facts.reason === null ? null : canonicalJson(facts.reason),
      head_seq: facts.lastSeq,
      head_digest: facts.lastDigest,
      receipts: facts.receipts,
      epoch: facts.epoch,
      holder: null,
      lease_expires_at: null,
      wake_at: null,
      idempotency_key: null,
      request_digest: null,
      created_at: parseTime(facts.createdAt),
      started_at: facts.startedAt === null ? null : parseTime(facts.startedAt),
      finished_at: facts.finishedAt === null ? null : parseTime(facts.finishedAt),
      tool: facts.asked.tool ?? null,
    })
    .execute();
}
