import { WaybillError } from '../../contract/errors.ts';
import { snapshotManifestSchema } from '../../contract/evidence.ts';
import { type Digest, parseId, type RunId } from '../../contract/ids.ts';
import { parseDigest } from '../../platform/digests/digest.ts';
import type { OperationStatement } from '../../platform/store/store.ts';
import type { Engine } from './engine.ts';
import { TreeRecorder } from './execution/tree-recorder.ts';
import { parseHolder } from './lease/holder.ts';
import { acquireLease, coolingMicros } from './lease/lease.ts';
import type { EventDraft } from './ledger/event-body.ts';
import { LedgerWriter } from './ledger/ledger-writer.ts';
import * as statements from './ledger/statements.ts';
import { type LoadedRun, loadRun, loadUnbegun, type RunRow, readRunRow } from './load-run.ts';
import type { KillReport, SnapshotEntry, TreeDifference } from './ports.ts';
import { parseIdentity } from './process-identity.ts';
import type { ClaimedRun } from './queue/claim-runs.ts';
import { differences } from './snapshots/differences.ts';
import { defaultGraceMs } from './steps/step-place.ts';

export interface Taken {
  readonly ledger: LedgerWriter;
  readonly loaded: LoadedRun;
  readonly tree: TreeRecorder | null;
  readonly snapshot: { readonly id: string; readonly digest: Digest } | null;
  readonly gone: readonly KillReport[];
}

/** How many changed paths an event or an error lists; the count is always whole. */
const listed = 100;

/** A run under our lease, as it is now, and the writer that continues its ledger. */
export interface TakenOver {
  readonly ledger: LedgerWriter;
  readonly loaded: LoadedRun;
  /** The row as it was before: its state and holder. */
  readonly before: RunRow;
}

/**
 * Takes the lease first and reads the run after, so that nothing another holder wrote in between is missed.
 * @throws WaybillError `lease_held`, `run_not_found`
 */
export async function takeOver(engine: Engine, runId: RunId): Promise<TakenOver> {
  const before = await engine.store.read((tx) => readRunRow(tx, runId));
  const epoch = await acquireLease(engine.store, engine.clock, engine.host, { ...before, id: runId });
  const loaded = await loadRun(engine.store, runId);
  return { ledger: writerFor(engine, loaded.row, epoch), loaded, before };
}

/** A run whose lease we have already, under this epoch, from a holder that died, if any. */
export async function takenUnder(
  engine: Engine,
  { runId, epoch, orphanedBy }: Pick<ClaimedRun, 'runId' | 'epoch' | 'orphanedBy'>,
): Promise<TakenOver> {
  const loaded = (await loadUnbegun(engine.store, runId)) ?? (await loadRun(engine.store, runId));
  return { ledger: writerFor(engine, loaded.row, epoch), loaded, before: { ...loaded.row, holder: orphanedBy } };
}

function writerFor(engine: Engine, row: RunRow, epoch: number): LedgerWriter {
  return new LedgerWriter(engine.store, engine.clock, {
    runId: parseId('run', row.id),
    epoch,
    seq: row.head_seq,
    digest: parseDigest(row.head_digest),
    receipts: row.receipts,
    tree: row.tree_digest === null ? null : parseDigest(row.tree_digest),
  });
}

/** Ends what an earlier holder's processes left behind. @throws WaybillError `containment_failed` when something survives */
export async function killLeftovers(
  engine: Engine,
  loaded: LoadedRun,
): Promise<{ events: EventDraft[]; gone: KillReport[] }> {
  const events: EventDraft[] = [];
  const gone: KillReport[] = [];
  for (const { marker, identity } of loaded.processes) {
    const known = parseIdentity(identity);
    if (known.host !== engine.host.self.host) {
      // Nobody here can look there. The lease ran out, so its holder is gone or frozen, and fenced off either way.
      events.push({ type: 'process.ended', data: { what: 'left on another machine', ...known, how: 'unknown' } });
      continue;
    }
    const report = await engine.processes.killLeftovers(known, defaultGraceMs);
    if (report.left > 0) {
      throw new WaybillError('containment_failed', `${report.left} processes of an earlier attempt cannot be ended`, {
        hint: `Look for processes with WAYBILL_MARKER=${marker} and end them, then resume again.`,
        details: { marker, left: report.left },
      });
    }
    gone.push(report);
    events.push({
      type: 'process.ended',
      data: { what: 'left by an earlier holder', pid: known.pid, marker, ...report },
    });
  }
  return { events, gone };
}

/**
 * Goes on with a run where its last holder left it: leftover processes, the tree, and what was in flight.
 * Nothing is sent and no step runs before all of it is in the ledger.
 * @throws WaybillError `lease_held`, `drift` (then the run is released as it was)
 */
export async function resumeRun(
  engine: Engine,
  { ledger, loaded, before }: TakenOver,
  options: { readonly acceptDrift: boolean; readonly actor: string },
): Promise<Taken> {
  const { row } = loaded;
  try {
    const { events: ended, gone } = await killLeftovers(engine, loaded);
    const tree = row.snapshot_mode === 'none' ? null : new TreeRecorder(engine, row.snapshot_mode === 'content');
    const now = await tree?.record();
    const inFlight = loaded.pending.filter((pending) => pending.waitingFor === null);
    const changes =
      now === undefined || now.snapshot.digest === ledger.tree
        ? []
        : await changesSince(engine, ledger.tree, now.snapshot.files);
    const drifted = now !== undefined && now.snapshot.digest !== ledger.tree;
    if (drifted && inFlight.length === 0 && !options.acceptDrift) throw driftError(row.id, changes);
    const accepted = drifted && options.acceptDrift && now !== undefined;
    const previous = parseHolder(before.holder);
    const events: EventDraft[] = [
      {
        type: 'run.resumed',
        data: {
          actor: options.actor,
          epoch: ledger.epoch,
          previousHolder: previous === null ? null : { pid: previous.pid, host: previous.host },
        },
      },
      ...ended,
      ...inFlight.map(
        (pending): EventDraft => ({
          type: 'attempt.interrupted',
          step: pending.work.step,
          attempt: pending.attempt,
          data: { idempotencyKey: pending.idempotencyKey, changes: changes.slice(0, listed), changed: changes.length },
        }),
      ),
      ...(accepted
        ? [
            {
              type: 'drift.accepted',
              data: {
                actor: options.actor,
                snapshot: { id: now.snapshot.id, digest: now.snapshot.digest },
                changes: changes.slice(0, listed),
                changed: changes.length,
              },
            } satisfies EventDraft,
          ]
        : []),
    ];
    const also: OperationStatement[] = [...(now?.also ?? []), { sql: statements.deleteProcesses, rows: [[row.id]] }];
    await ledger.append({
      events,
      also,
      ...(now === undefined ? {} : { tree: now.snapshot.digest }),
      ...(accepted
        ? { change: { kind: 'accept-tree', snapshotId: now.snapshot.id, digest: now.snapshot.digest } }
        : {}),
    });
    const recorded =
      row.snapshot_id === null || row.snapshot_digest === null
        ? null
        : { id: row.snapshot_id, digest: parseDigest(row.snapshot_digest) };
    return {
      ledger,
      loaded,
      tree,
      gone,
      snapshot: accepted ? { id: now.snapshot.id, digest: now.snapshot.digest } : recorded,
    };
  } catch (error) {
    await releaseUntouched(engine, before, ledger.epoch, coolingMicros);
    throw error;
  }
}

/**
 * Gives the lease back with the state the run had: the refusal leaves no trace.
 * @param cooling microseconds for which no worker takes it by itself
 */
export async function releaseUntouched(engine: Engine, row: RunRow, epoch: number, cooling = 0): Promise<void> {
  const until = cooling === 0 ? null : engine.clock.now() + cooling;
  await engine.store.submit({
    lane: row.id,
    statements: [{ sql: statements.releaseLease, rows: [[until, row.state, row.wake_at, row.id, epoch]] }],
  });
}

async function changesSince(
  engine: Engine,
  before: Digest | null,
  files: readonly SnapshotEntry[],
): Promise<readonly TreeDifference[]> {
  if (before === null) return [];
  return differences(await filesOf(engine, before), files);
}

/** The files of a tree that was recorded. @throws WaybillError `blob_missing` */
export async function filesOf(engine: Engine, tree: Digest): Promise<readonly SnapshotEntry[]> {
  const row = await engine.store.read((tx) =>
    tx.db.selectFrom('snapshot').select('manifest').where('digest', '=', tree).executeTakeFirst(),
  );
  if (row === undefined)
    throw new WaybillError('blob_missing', `the manifest of the snapshot ${tree} is not in the store`);
  const manifest = snapshotManifestSchema.parse(
    JSON.parse(Buffer.from(await engine.blobs.get(parseDigest(row.manifest))).toString('utf8')),
  );
  return manifest.files.map(({ path, kind, size, digest, raw }) => ({
    path,
    kind,
    size,
    digest: parseDigest(digest),
    ...(raw === undefined ? {} : { raw }),
  }));
}

export function driftError(runId: string, changes: readonly TreeDifference[]): WaybillError {
  const first = changes.slice(0, 5).map(({ path, change }) => `${path} (${change})`);
  const more = changes.length > first.length ? ` and ${changes.length - first.length} more` : '';
  return new WaybillError(
    'drift',
    `the workspace changed while no step of the run was at work: ${first.join(', ')}${more}`,
    {
      hint: `Undo the changes, or go on with them: waybill resume ${runId} --accept-drift`,
      details: { changes: changes.slice(0, listed), changed: changes.length },
    },
  );
}
