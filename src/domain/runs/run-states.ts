import type { Selectable } from 'kysely';
import { z } from 'zod';
import { WaybillError } from '../../contract/errors.ts';
import { provenanceSchema, type RunProvenance, type RunState } from '../../contract/evidence.ts';
import { parseId } from '../../contract/ids.ts';
import type { JsonValue } from '../../contract/json.ts';
import { formatTimeMicros, type Micros } from '../../platform/clock/clock.ts';
import type { ReadTx } from '../../platform/store/store.ts';
import type { PendingStep } from './execution/replay.ts';
import { displayStep } from './keys/step-key.ts';
import { parseHolder } from './lease/holder.ts';
import { livingHolder } from './lease/lease.ts';
import { pendingOf, type RunRow } from './load-run.ts';
import type { HostPort } from './ports.ts';
import { isTerminal, readState } from './states.ts';
import type { PendingStepTable, RunLinkTable } from './tables.ts';

/** From where a run is looked at: liveness of a holder depends on the machine and the moment. */
export interface Viewpoint {
  readonly host: HostPort;
  readonly now: Micros;
}

/** What belongs to a run beside its row. */
export interface RunSurroundings {
  readonly pending: readonly Selectable<PendingStepTable>[];
  /** Links in which it is the new run or the origin. */
  readonly links: readonly Selectable<RunLinkTable>[];
  /** Body of the event that started it; undefined while it waits in the queue. */
  readonly started: string | undefined;
}

/** Runs as every surface shows them, in the order of their rows; a fixed number of queries however many they are. */
export async function runStates(tx: ReadTx, rows: readonly RunRow[], from: Viewpoint): Promise<RunState[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const pending = await tx.db
    .selectFrom('pending_step')
    .selectAll()
    .where('run', 'in', ids)
    .orderBy('first_seq')
    .execute();
  const links = await tx.db
    .selectFrom('run_link')
    .selectAll()
    .where((each) => each.or([each('run', 'in', ids), each('origin_run', 'in', ids)]))
    .orderBy('run')
    .execute();
  const starts = await tx.db
    .selectFrom('run_event')
    .select(['run', 'body'])
    .where('run', 'in', ids)
    .where('seq', 'in', [1, 2])
    .where('type', '=', 'run.started')
    .execute();
  return rows.map((row) => {
    const started = starts.find(({ run }) => run === row.id)?.body;
    return runState(row, { pending: pending.filter(({ run }) => run === row.id), links, started }, from);
  });
}

/** One run as every surface shows it. @throws WaybillError `store_corrupt` when a column does not hold what belongs there */
export function runState(row: RunRow, { pending, links, started }: RunSurroundings, from: Viewpoint): RunState {
  return {
    ...readable(row.id, () => facts(row)),
    ...progress(row, pending.map(pendingOf)),
    ...holding(row, from),
    origin: originOf(links.find(({ run }) => run === row.id)),
    sharedBy: links
      .filter((link) => link.origin_run === row.id && link.run !== row.id)
      .map(({ run, kind }) => ({ runId: run, kind })),
    provenance: started === undefined ? null : provenanceOf(started),
  };
}

function readable<T>(run: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    throw new WaybillError('store_corrupt', `the store holds a run ${run} that cannot be read`, {
      hint: `Find the first broken link with: waybill verify ${run}`,
      cause: error,
    });
  }
}

function facts(row: RunRow) {
  const state = readState(row.state);
  const tasks = z.array(z.string()).parse(JSON.parse(row.tasks));
  return {
    schema: 'waybill.run.v1' as const,
    runId: row.id,
    workflow: row.workflow,
    tool: row.tool,
    task: tasks.length === 1 ? (tasks[0] ?? null) : null,
    tasks,
    state,
    snapshot:
      row.snapshot_id === null || row.snapshot_digest === null
        ? null
        : { id: row.snapshot_id, digest: row.snapshot_digest },
    lastSeq: row.head_seq,
    lastDigest: row.head_digest,
    // The store lets nothing follow the event that made a run terminal, so it is the head.
    terminalEvent: isTerminal(state) ? { seq: row.head_seq, type: `run.${state}` as const } : null,
    reason: row.reason === null ? null : reasonSchema.parse(JSON.parse(row.reason)),
    output: row.output === null ? null : jsonOf(row.output),
    steps: row.receipts,
    createdAt: formatTimeMicros(row.created_at),
    startedAt: maybeTime(row.started_at),
    finishedAt: maybeTime(row.finished_at),
    wakeAt: maybeTime(row.wake_at),
    actor: row.actor,
  };
}

const reasonSchema = z.strictObject({ code: z.string(), message: z.string() });

function jsonOf(text: string): JsonValue {
  return JSON.parse(text);
}

function maybeTime(micros: Micros | null): string | null {
  return micros === null ? null : formatTimeMicros(micros);
}

/** What is under way: of several steps, one at work stands for the run before one that waits. */
function progress(row: RunRow, pending: readonly PendingStep[]): Pick<RunState, 'currentStep' | 'pending'> {
  if (isTerminal(readState(row.state))) return { currentStep: null, pending: [] };
  const current = pending.findLast((step) => step.waitingFor === null) ?? pending[0];
  return {
    currentStep:
      current === undefined
        ? null
        : {
            name: displayStep(current.work.step),
            stage: current.work.action,
            attempt: current.attempt,
            startedAt: formatTimeMicros(current.startedAt),
            idempotencyKey: current.idempotencyKey,
            waitingFor: current.waitingFor,
          },
    pending: pending.map(({ work, attempt, idempotencyKey }) => ({
      step: work.step,
      action: work.action,
      attempt,
      idempotencyKey,
    })),
  };
}

/** A run that counts as running and that nobody living holds is interrupted. */
function holding(row: RunRow, { host, now }: Viewpoint): Pick<RunState, 'interrupted' | 'resume' | 'holder'> {
  const recorded = parseHolder(row.holder);
  const alive = livingHolder({ ...row, id: parseId('run', row.id) }, host, now) !== null;
  const interrupted = !alive && row.state === 'running';
  return {
    interrupted,
    resume: interrupted ? `waybill resume ${row.id}` : null,
    holder:
      recorded === null
        ? null
        : {
            pid: recorded.pid,
            host: recorded.host,
            since: formatTimeMicros(recorded.since),
            expiresAt: formatTimeMicros(row.lease_expires_at ?? recorded.since),
            alive,
          },
  };
}

function originOf(
  link:
    | {
        readonly origin_run: string;
        readonly kind: 'retry' | 'fork' | 'import';
        readonly from_step: string | null;
        readonly reason: string | null;
      }
    | undefined,
): RunState['origin'] {
  if (link === undefined) return null;
  return { runId: link.origin_run, kind: link.kind, from: link.from_step, reason: link.reason };
}

const startedBody = z.looseObject({ data: z.looseObject({ provenance: provenanceSchema }) });

/** Null when the event cannot be read: then `verify` says what is wrong with it, and the run is shown all the same. */
function provenanceOf(body: string): RunProvenance | null {
  try {
    return startedBody.parse(JSON.parse(body)).data.provenance;
  } catch {
    return null;
  }
}
