import { WaybillError } from '../../contract/errors.ts';
import type { Receipt } from '../../contract/evidence.ts';
import { type Digest, parseId } from '../../contract/ids.ts';
import { parseDigest } from '../../platform/digests/digest.ts';
import type { Engine } from './engine.ts';
import { displayStep } from './keys/step-key.ts';
import type { LoadedRun } from './load-run.ts';
import { driftError, filesOf } from './resume-run.ts';
import { differences } from './snapshots/differences.ts';
import type { RunOrigin } from './start-run.ts';

/** What a retried run shares: every receipt of a step that succeeded. @throws WaybillError `run_not_failed`, `drift` */
export async function retryOrigin(
  engine: Engine,
  loaded: LoadedRun,
  options: { readonly reason: string; readonly acceptDrift?: boolean },
): Promise<RunOrigin> {
  const { row } = loaded;
  if (row.state !== 'failed') {
    const hint =
      row.state === 'succeeded'
        ? `Run a part of it again with: waybill fork ${row.id} --from STEP`
        : `Go on with it: waybill resume ${row.id}`;
    throw new WaybillError('run_not_failed', `run ${row.id} is ${row.state}, not failed`, {
      hint,
      details: { state: row.state },
    });
  }
  const good = receiptsOf(loaded).filter((receipt) => receipt.outcome === 'succeeded');
  await assertTree(engine, row.id, row.tree_digest, options.acceptDrift === true);
  return {
    runId: parseId('run', row.id),
    kind: 'retry',
    from: null,
    reason: engine.redact.text(options.reason.toWellFormed()).text,
    receipts: good.map(place),
  };
}

/**
 * What a forked run shares: the receipts before a step, named as people see it (`review#2`), by its plain name
 * when that is unambiguous, or by its receipt's number.
 * @throws WaybillError `step_not_found`, naming the steps there are; `drift`
 */
export async function forkOrigin(
  engine: Engine,
  loaded: LoadedRun,
  options: { readonly from: string; readonly acceptDrift?: boolean },
): Promise<RunOrigin> {
  const { row } = loaded;
  const receipts = receiptsOf(loaded);
  const at = findStep(receipts, options.from);
  const pending = loaded.pending.some(
    (each) => displayStep(each.work.step) === options.from || each.work.step.name === options.from,
  );
  if (at === -1 && !pending) {
    const steps = receipts.map((receipt) => displayStep(receipt.step)).join(', ') || 'none';
    throw new WaybillError('step_not_found', `run ${row.id} has no step "${options.from}" (it has: ${steps})`, {
      hint: `List them with: waybill show ${row.id} --receipts`,
    });
  }
  const before = at === -1 ? receipts : receipts.slice(0, at);
  const tree = before.findLast((receipt) => receipt.treeAfter !== null)?.treeAfter ?? (await firstTree(engine, loaded));
  await assertTree(engine, row.id, tree, options.acceptDrift === true);
  return { runId: parseId('run', row.id), kind: 'fork', from: options.from, reason: null, receipts: before.map(place) };
}

/** All receipts in the order the run came to know them: shared ones first. */
function receiptsOf(loaded: LoadedRun): readonly Receipt[] {
  return loaded.receipts.map((each) => each.receipt);
}

function findStep(receipts: readonly Receipt[], from: string): number {
  const exact = receipts.findIndex((receipt) => displayStep(receipt.step) === from || String(receipt.number) === from);
  return exact === -1 ? receipts.findIndex((receipt) => receipt.step.name === from) : exact;
}

function place(receipt: Receipt) {
  return { runId: receipt.runId, number: receipt.number };
}

/** The tree the run began with; a run whose drift was accepted has another one in its row, so the event that started it tells. */
async function firstTree(engine: Engine, loaded: LoadedRun): Promise<string | null> {
  const event = await engine.store.read((tx) =>
    tx.db
      .selectFrom('run_event')
      .select('body')
      .where('run', '=', loaded.row.id)
      .where('seq', 'in', [1, 2])
      .where('type', '=', 'run.started')
      .executeTakeFirst(),
  );
  const body: unknown = event === undefined ? null : JSON.parse(event.body);
  const found =
    typeof body === 'object' &&
    body !== null &&
    'data' in body &&
    typeof body.data === 'object' &&
    body.data !== null &&
    'snapshot' in body.data
      ? body.data.snapshot
      : null;
  return typeof found === 'object' && found !== null && 'digest' in found && typeof found.digest === 'string'
    ? found.digest
    : null;
}

async function assertTree(engine: Engine, runId: string, expected: string | null, accepted: boolean): Promise<void> {
  if (expected === null || accepted) return;
  const { root, snapshot: choice } = engine.workspace;
  const now = await engine.snapshots.capture({ root, ...choice });
  const before: Digest = parseDigest(expected);
  if (now.digest === before) return;
  const error = driftError(runId, differences(await filesOf(engine, before), now.files));
  throw new WaybillError('drift', `the workspace is not the tree those receipts left: ${error.message}`, {
    hint: 'Bring the tree back (for a git checkout: `git stash` or `git checkout`), or go on with this one: add --accept-drift.',
    ...(error.details === undefined ? {} : { details: error.details }),
  });
}
